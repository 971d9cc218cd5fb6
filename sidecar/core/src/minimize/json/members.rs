//! Members of objects as nearly all are written: name, colon and a single value, whole in the chunk, without white space.
//!
//! They are read ahead before anything is decided, so that whatever is written in another way is left to the filter's
//! states, which know all of the grammar. What comes of a member is the same either way.

use super::super::container::{Container, Fate};
use super::super::place::{Expected, Here};
use super::super::scan::{digits, plain_text};
use super::super::selection::Member;
use super::super::string::whole;
use super::JsonFilter;
use crate::Refusal;

impl JsonFilter {
    /// Reads on from `at`, where a name begins, as long as members stand together. Returns the next place.
    #[inline]
    pub(super) fn members(&mut self, mut at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        loop {
            let (next, closes) = self.single_values(at, here)?;
            at = if closes {
                self.close(true, next, here)?
            } else {
                if next > at {
                    self.expected = Expected::Name { or_end: false };
                }
                if here.chunk.get(next) != Some(&b'"') {
                    return Ok(next);
                }
                self.member(next, here)?
            };
            if here.chunk.get(at) != Some(&b'"') || !matches!(self.expected, Expected::Name { .. }) {
                return Ok(at);
            }
        }
    }

    /// Reads members with single values. Returns the next place, and whether that is the brace behind the last of them.
    #[inline]
    fn single_values(&mut self, mut at: usize, here: &mut Here<'_>) -> Result<(usize, bool), Refusal> {
        let Some(container) = self.containers.last_mut() else { return Ok((at, false)) };
        while let Some(found) = Ahead::read(here.chunk, at) {
            if found.value - at > self.limits.name_bytes {
                break;
            }
            let name = &here.chunk[at + 1..found.value - 2];
            let member = match container.fate {
                Fate::Dropped | Fate::Watched(_) => None,
                Fate::Passes => Some(Member::PASSES),
                Fate::Filtered(id) => self.selection.member(id, name),
            };
            match member {
                None => here.end_run(),
                Some(Member { single: Fate::Watched(_), .. }) => break,
                Some(member) => {
                    container.note(name, member.place, &self.hasher, self.limits.names)?;
                    if member.single == Fate::Passes {
                        begin_run(container, at, here);
                        here.firm = found.end;
                    } else {
                        here.end_run();
                    }
                }
            }
            if !found.goes_on {
                return Ok((found.end, true));
            }
            at = found.end + 1;
        }
        Ok((at, false))
    }
}

#[inline]
fn begin_run(container: &mut Container, at: usize, here: &mut Here<'_>) {
    if here.run.is_none() {
        if container.has_output {
            here.out.push(b',');
        }
        here.run = Some(at);
    }
    container.has_output = true;
}

/// A member that stands ahead.
struct Ahead {
    /// Where its value begins.
    value: usize,
    /// Where that ends.
    end: usize,
    /// Whether a comma follows, and not a brace.
    goes_on: bool,
}

impl Ahead {
    /// `None` for what the states have to read.
    #[inline]
    fn read(chunk: &[u8], at: usize) -> Option<Self> {
        let [b'"', inside @ ..] = chunk.get(at..)? else { return None };
        let end = at + 1 + plain_text(inside);
        let &[b'"', b':', first] = chunk.get(end..end + 3)? else { return None };
        let value = end + 2;
        let end = match first {
            b'"' => whole(chunk, value + 1)?,
            b'-' | b'0'..=b'9' => decimal(chunk, value)?,
            b't' if chunk[value..].starts_with(b"true") => value + 4,
            b'f' if chunk[value..].starts_with(b"false") => value + 5,
            b'n' if chunk[value..].starts_with(b"null") => value + 4,
            _ => return None,
        };
        match chunk.get(end)? {
            b',' => Some(Self { value, end, goes_on: true }),
            b'}' => Some(Self { value, end, goes_on: false }),
            _ => None,
        }
    }
}

/// Where a number without an exponent ends (RFC 8259, section 6).
#[inline]
fn decimal(chunk: &[u8], at: usize) -> Option<usize> {
    let mut at = at + usize::from(chunk[at] == b'-');
    at += match chunk.get(at)? {
        b'0' => 1,
        b'1'..=b'9' => digits(&chunk[at..]),
        _ => return None,
    };
    if chunk.get(at) == Some(&b'.') {
        let fraction = digits(&chunk[at + 1..]);
        at += 1 + fraction;
        if fraction == 0 {
            return None;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{JsonFilter, Limits, Protection, Refusal, Selection, Treatment};

    fn filtered<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> Result<String, Refusal> {
        let mask = Treatment { protection: Some(Arc::new(Protection::Mask)), ..Treatment::PASS };
        let pass = ["/a", "/b/x", "/c/**", "/d/*/y"].map(|pointer| (pointer, Treatment::PASS));
        let selection = Selection::with([("/m", mask)].into_iter().chain(pass)).unwrap();
        let mut filter = JsonFilter::new(Arc::new(selection), Limits { name_bytes: 12, ..Limits::default() });
        let mut out = Vec::new();
        for chunk in chunks {
            filter.feed(chunk, &mut out)?;
        }
        filter.finish()?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// Byte by byte nothing stands ahead, so that the states read all of it.
    fn as_the_states_read_it(body: &str) -> Result<String, Refusal> {
        let whole = filtered(std::iter::once(body.as_bytes()));
        assert_eq!(whole, filtered(body.as_bytes().chunks(1)), "{body}");
        whole
    }

    #[test]
    fn members_that_stand_ahead_pass_as_they_would_one_by_one() {
        for (body, passes) in [
            (
                r#"{"a":1,"z":2,"m":"x","b":{"x":1,"y":2},"z":"q","c":{"k":[1],"l":null}}"#,
                r#"{"a":1,"m":"*","b":{"x":1},"c":{"k":[1],"l":null}}"#,
            ),
            (r#"{"z":"a\"b\\","a":"c\/\n"}"#, r#"{"a":"c\/\n"}"#),
            (r#"{"d":[{"y":-0.5,"z":true},{"z":false},{"y":"é"}]}"#, r#"{"d":[{"y":-0.5},{},{"y":"é"}]}"#),
            (r#"{"b":1,"c":2,"d":{"p":{"y":1e3,"n":{"y":1}}},"a":{}}"#, r#"{"c":2,"d":{"p":{"y":1e3}}}"#),
            (r#"{"z":{"a":1,"a":2,"b":{"x":1}},"a":0}"#, r#"{"a":0}"#),
            (r#"{"\u0061":1,"z": 2 , "c":"\ud83d\ude00"}"#, r#"{"\u0061":1,"c":"\ud83d\ude00"}"#),
        ] {
            assert_eq!(as_the_states_read_it(body).as_deref(), Ok(passes), "{body}");
        }
    }

    #[test]
    fn what_is_no_member_is_refused_wherever_it_stands() {
        for (body, refusal) in [
            (r#"{"a":1,}"#, Refusal::Syntax),
            (r#"{"z":1,,"a":1}"#, Refusal::Syntax),
            (r#"{"a":1"b":2}"#, Refusal::Syntax),
            (r#"{"a":01,"z":1}"#, Refusal::Syntax),
            (r#"{"a":1.,"z":1}"#, Refusal::Syntax),
            (r#"{"a":-,"z":1}"#, Refusal::Syntax),
            (r#"{"a":truex,"z":1}"#, Refusal::Syntax),
            (r#"{"z":"\q","a":1}"#, Refusal::Syntax),
            ("{\"z\":\"\u{1}\",\"a\":1}", Refusal::Syntax),
            (r#"{"z":1,"a":1]"#, Refusal::Syntax),
            (r#"{"a":1,"z":2,"a":3}"#, Refusal::DuplicateName),
            (r#"{"c":{"k":1,"l":2,"k":3}}"#, Refusal::DuplicateName),
            (r#"{"a":1,"a-name-of-13":2}"#, Refusal::NameLength),
            (r#"{"a":1,"z":2"#, Refusal::Truncated),
            (r#"{"a":1}}"#, Refusal::TrailingBytes),
        ] {
            assert_eq!(as_the_states_read_it(body), Err(refusal), "{body}");
        }
    }
}
