//! A fixed set of names that is asked about at every member of every object: one look and one comparison each.

use super::selection::Member;

/// Names with the member that each is, in a table of open addresses that is at most an eighth full, so that a name of
/// nobody is told by one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    entries: Vec<Entry>,
    /// Place of an entry plus one, or zero; its length is a power of two.
    table: Vec<u32>,
}

/// A name of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    outline: Outline,
    name: Box<[u8]>,
    /// What the name leads to; `None` where nothing of it passes.
    pub member: Option<Member>,
}

/// Length, first and last bytes of a name. Up to sixteen bytes that is the whole name, so that no more is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    length: usize,
    first: u64,
    last: u64,
}

impl Outline {
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
                (Some(first), Some(last)) => (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()),
                _ => (name.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0),
            },
        };
        Self { length: name.len(), first, last }
    }

    /// Whether nothing of the name is left out.
    #[inline]
    pub fn is_whole(self) -> bool {
        self.length <= 16
    }

    /// Who sends names that collide costs a comparison more; `slots` is a power of two.
    #[inline]
    fn slot(self, slots: usize) -> usize {
        let word = self.first ^ self.last.rotate_left(29) ^ (self.length as u64) << 56;
        // A bit of a product depends on those below it alone, so that the upper half has to be folded onto the lower.
        let product = u128::from(word) * u128::from(GOLDEN);
        #[allow(clippy::cast_possible_truncation)] // both halves
        let mixed = product as u64 ^ (product >> 64) as u64;
        #[allow(clippy::cast_possible_truncation)] // the lowest bits are asked for
        let slot = mixed as usize & (slots - 1);
        slot
    }
}

/// 2^64 divided by the golden ratio: multiplying by it spreads what differs anywhere (Knuth, section 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Names {
    /// The set of these names, which are distinct.
    pub fn new(names: Vec<(Box<[u8]>, Option<Member>)>) -> Self {
        let entries: Vec<Entry> =
            names.into_iter().map(|(name, member)| Entry { outline: Outline::of(&name), name, member }).collect();
        let mut table = vec![0; (entries.len() * 8).next_power_of_two()];
        for (entry, place) in entries.iter().zip(1..) {
            let mut slot = entry.outline.slot(table.len());
            while table[slot] != 0 {
                slot = (slot + 1) % table.len();
            }
            table[slot] = place;
        }
        Self { entries, table }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of a name.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&Entry> {
        let outline = Outline::of(name);
        let last = self.table.len().checked_sub(1)?;
        let mut slot = outline.slot(self.table.len());
        loop {
            let entry = self.entries.get(self.table[slot & last].checked_sub(1)? as usize)?;
            if entry.outline == outline && (outline.is_whole() || entry.name.as_ref() == name) {
                return Some(entry);
            }
            slot += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'n>(texts: impl IntoIterator<Item = &'n [u8]>) -> Names {
        let member = |id| Some(Member { id, ..Member::PASSES });
        Names::new(texts.into_iter().zip(0..).map(|(text, id)| (text.into(), member(id))).collect())
    }

    fn get(names: &Names, name: &[u8]) -> Option<u32> {
        names.get(name).and_then(|entry| entry.member).map(|member| member.id)
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        let texts: Vec<String> = (0..300).map(|number| "n".repeat(number % 20) + &number.to_string()).collect();
        let names = names(texts.iter().map(String::as_bytes));
        for (text, id) in texts.iter().zip(0..) {
            assert_eq!(get(&names, text.as_bytes()), Some(id));
            assert_eq!(get(&names, format!("{text}x").as_bytes()), None);
        }
        assert_eq!(get(&names, b""), None);
    }

    #[test]
    fn names_that_differ_in_their_last_byte_lie_apart() {
        let slots: std::collections::HashSet<usize> =
            (0..10).map(|number| Outline::of(format!("field{number}").as_bytes()).slot(256)).collect();
        assert!(slots.len() > 7, "{slots:?}");
    }

    #[test]
    fn names_of_one_outline_are_told_apart() {
        let (one, other) = (&b"a-long-name-1-with-a-middle"[..], &b"a-long-name-2-with-a-middle"[..]);
        assert_eq!(Outline::of(one), Outline::of(other));
        let names = names([one, other]);
        assert_eq!((get(&names, one), get(&names, other)), (Some(0), Some(1)));
        assert_eq!(get(&names, b"a-long-name-3-with-a-middle"), None);
    }

    #[test]
    fn an_empty_set_holds_nothing_and_an_empty_name_is_a_name() {
        assert_eq!((get(&Names::default(), b""), get(&names([]), b"")), (None, None));
        assert_eq!(get(&names([&b""[..]]), b""), Some(0));
    }
}
