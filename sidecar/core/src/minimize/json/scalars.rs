//! Single values, from wherever in them a chunk begins.

use super::super::number::Number;
use super::super::place::{Expected, Here};
use super::super::scan::{digits, plain_text};
use super::super::string::{Escape, text};
use super::JsonFilter;
use crate::Refusal;

impl JsonFilter {
    #[inline]
    pub(super) fn string(&mut self, escape: Escape, mut at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        if escape == Escape::Text {
            at += plain_text(&here.chunk[at..]);
            if here.chunk.get(at) == Some(&b'"') {
                return self.value_ended(at + 1, here);
            }
        }
        let (escape, at) = text(escape, here.chunk, at)?;
        let Some(escape) = escape else { return self.value_ended(at, here) };
        self.expected = Expected::String(escape);
        Ok(at)
    }

    #[inline]
    pub(super) fn number(&mut self, mut number: Number, mut at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        while let Some(&byte) = here.chunk.get(at) {
            match number.after(byte) {
                Some(next) => {
                    number = next;
                    at += 1;
                    if matches!(number, Number::Integer | Number::Fraction | Number::Exponent) {
                        at += digits(&here.chunk[at..]);
                    }
                }
                None if number.may_end() => return self.value_ended(at, here),
                None => return Err(Refusal::Syntax),
            }
        }
        self.expected = Expected::Number(number);
        Ok(at)
    }

    #[inline]
    pub(super) fn literal(&mut self, rest: &'static [u8], at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        let bytes = &here.chunk[at..];
        let common = rest.len().min(bytes.len());
        if rest[..common] != bytes[..common] {
            return Err(Refusal::Syntax);
        }
        if common == rest.len() {
            return self.value_ended(at + common, here);
        }
        self.expected = Expected::Literal(&rest[common..]);
        Ok(at + common)
    }
}
