//! Records of one kind name their fields in one order, so the last record tells what the next name will be.

use super::names::Outline;
use super::selection::{Member, NodeId, Selection};

/// Places of an object that are remembered: enough for most records, and little for a filter to hold.
const PLACES: usize = 64;
/// What sets the places of one kind of object apart from those of another.
const SPREAD: usize = 29;

/// What stood at each place of the last object.
#[derive(Debug, Default)]
pub struct Guesses {
    places: Vec<Option<Guess>>,
}

#[derive(Debug)]
struct Guess {
    node: NodeId,
    outline: Outline,
    member: Option<Member>,
}

impl Guesses {
    /// What may pass under the name at `place` of an object, counted from one: as [`Selection::member`] says, which is
    /// asked only where the guess is wrong.
    #[inline]
    pub fn member(&mut self, selection: &Selection, node: NodeId, place: usize, name: &[u8]) -> Option<Member> {
        let outline = Outline::of(name);
        // Objects within objects come in between, each kind with places of its own.
        let place = (place + node as usize * SPREAD) % PLACES;
        let guess = self.places.get(place).and_then(Option::as_ref);
        if let Some(guess) = guess.filter(|guess| guess.node == node && guess.outline == outline && outline.is_whole())
        {
            return guess.member;
        }
        let member = selection.outlined_member(node, name, outline);
        self.learn(place, Guess { node, outline, member });
        member
    }

    #[cold]
    fn learn(&mut self, place: usize, guess: Guess) {
        if self.places.len() <= place {
            self.places.resize_with(PLACES, || None);
        }
        self.places[place] = Some(guess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_never_stands_in_for_another_name_or_node() {
        let selection = Selection::new(["/a", "/b/a", "/b/a-name-of-more-than-16-bytes"]).unwrap();
        let inner = selection.member(Selection::ROOT, b"b").unwrap().id;
        let mut guesses = Guesses::default();
        let long = b"a-name-of-more-than-16-bytes";
        for _ in 0..2 {
            for (node, name) in [(Selection::ROOT, &b"a"[..]), (inner, b"a"), (inner, b"x"), (inner, long)] {
                let other = if name == long { &b"a-name-OF-more-than-16-bytes"[..] } else { b"y" };
                for asked in [name, other] {
                    assert_eq!(guesses.member(&selection, node, 1, asked), selection.member(node, asked), "{asked:?}");
                }
            }
        }
    }

    #[test]
    fn more_places_than_are_remembered_are_told_all_the_same() {
        let selection = Selection::new(["/a"]).unwrap();
        let mut guesses = Guesses::default();
        for place in 1..=2 * PLACES {
            assert!(guesses.member(&selection, Selection::ROOT, place, b"a").is_some());
            assert!(guesses.member(&selection, Selection::ROOT, place, b"b").is_none());
        }
        assert_eq!(guesses.places.len(), PLACES);
    }
}
