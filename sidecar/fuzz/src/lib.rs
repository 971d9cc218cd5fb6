//! What the targets have in common: choices out of the bytes that the fuzzer makes up.

use std::sync::Arc;

use lawflow_core::{Protection, Treatment};

/// Names that pointers and documents share, as pointers write them.
const TOKENS: &[&str] = &["a", "b", "c", "", "a~1b", "~2", "0", "*", "*"];

/// The bytes of one case; zeros for ever once they have ended.
pub struct Input<'i> {
    pub rest: &'i [u8],
}

impl<'i> Input<'i> {
    pub fn new(bytes: &'i [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub fn one_of<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }

    /// As many of the next bytes as the first of them says.
    pub fn part(&mut self) -> &'i [u8] {
        let length = usize::from(self.byte()).min(self.rest.len());
        let (part, rest) = self.rest.split_at(length);
        self.rest = rest;
        part
    }

    /// A pointer of one to three tokens, or of `/**` behind up to two.
    pub fn pointer(&mut self) -> String {
        let shape = self.below(7);
        let path: String = (0..=shape % 3).map(|_| format!("/{}", self.one_of(TOKENS))).collect();
        if shape < 4 { path } else { path[..path.rfind('/').unwrap_or(0)].to_owned() + "/**" }
    }

    /// Up to four places to cut at.
    pub fn cuts(&mut self) -> Vec<usize> {
        (0..self.below(5)).map(|_| usize::from(self.byte())).collect()
    }
}

/// A body in chunks that end at these places.
pub fn chunks<'b>(body: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|place| place % (body.len() + 1)).collect();
    places.extend([0, body.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

pub fn mask() -> Treatment {
    Treatment { protection: Some(Arc::new(Protection::Mask)), ..Treatment::PASS }
}

/// Whether a text may be what is left of a masked one: at most the last four of twelve characters or more are shown.
pub fn is_masked(text: &str) -> bool {
    let length = text.chars().count();
    let hidden = if length >= 12 { length - 4 } else { length };
    text.chars().take(hidden).all(|character| character == '*')
}
