//! Query strings and `application/x-www-form-urlencoded` bodies: pairs of names and values, of which the declared pass.
//!
//! Written after the URL Standard, section 5.1: pairs are separated by `&`, a name ends at the first `=`, `+` is a blank
//! and `%XX` a byte. Names are compared as what they mean; what passes stays as it was written. Receivers differ in
//! what they make of broken escapes and of other separators, so a name that leaves room for doubt is not declared.

use super::scan::hexadecimal;
use crate::{Refusal, Selection};

/// Appends the declared pairs of a query string or form to `out`; a declared name is a pointer of one token. Returns the
/// data subject, where one of the pairs names it.
///
/// # Errors
///
/// [`Refusal::Encoding`] where a declared pair is no UTF-8 or holds a broken escape, [`Refusal::DuplicateName`] where a
/// declared name stands twice, and what [`crate::Protection::protect`] fails with.
pub fn filter_form(
    selection: &Selection,
    subject: Option<&str>,
    form: &[u8],
    out: &mut Vec<u8>,
) -> Result<Option<String>, Refusal> {
    let start = out.len();
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut found = None;
    // Between two separators in a row there is no pair, not even one with an empty name.
    for pair in form.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
        let equals = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
        let (written, value) = pair.split_at(equals);
        let Some(name) = meant(written) else { continue };
        let Some(member) = selection.member(Selection::ROOT, &name) else { continue };
        let node = selection.node(member.id);
        if !node.leaf && !node.watched {
            continue;
        }
        let value = meant(value.strip_prefix(b"=").unwrap_or(value)).ok_or(Refusal::Encoding)?;
        if seen.contains(&name) {
            return Err(Refusal::DuplicateName);
        }
        seen.push(name);
        let value = std::str::from_utf8(&value).map_err(|_| Refusal::Encoding)?;
        if node.is_subject {
            found = Some(value.to_owned());
        }
        if !node.leaf {
            continue;
        }
        if out.len() > start {
            out.push(b'&');
        }
        if let Some(protection) = &node.protection {
            out.extend_from_slice(written);
            out.push(b'=');
            encoded(&protection.protect(value, found.as_deref().or(subject))?, out);
        } else {
            out.extend_from_slice(pair);
        }
    }
    Ok(found)
}

/// Appends a value in the form that needs no more escapes (RFC 3986, section 2.3).
fn encoded(value: &str, out: &mut Vec<u8>) {
    for &byte in value.as_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

/// What a name or value stands for; `None` for what is no text.
fn meant(written: &[u8]) -> Option<Vec<u8>> {
    let mut found = Vec::with_capacity(written.len());
    let mut bytes = written.iter();
    while let Some(&byte) = bytes.next() {
        found.push(match byte {
            b'+' => b' ',
            b'%' => hexadecimal(*bytes.next()?)? << 4 | hexadecimal(*bytes.next()?)?,
            // Some receivers take it for a separator.
            b';' => return None,
            other => other,
        });
    }
    std::str::from_utf8(&found).is_ok().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(names: &[&str], form: &str) -> Result<String, Refusal> {
        let selection = Selection::new(names.iter().copied()).unwrap();
        let mut out = Vec::new();
        filter_form(&selection, None, form.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn declared_pairs_pass_as_they_were_written_and_in_order() {
        assert_eq!(filtered(&["/b", "/a"], "a=1&x=2&b=%20+z&c").as_deref(), Ok("a=1&b=%20+z"));
        assert_eq!(filtered(&["/a"], "a").as_deref(), Ok("a"));
        assert_eq!(filtered(&["/a"], "a=1=2").as_deref(), Ok("a=1=2"));
        assert_eq!(filtered(&[], "a=1").as_deref(), Ok(""));
        assert_eq!(filtered(&["/*"], "a=1&b=2").as_deref(), Ok("a=1&b=2"));
    }

    #[test]
    fn names_are_compared_as_what_they_mean() {
        assert_eq!(filtered(&["/user id"], "user+id=1").as_deref(), Ok("user+id=1"));
        assert_eq!(filtered(&["/user id"], "user%20id=1").as_deref(), Ok("user%20id=1"));
        assert_eq!(filtered(&["/sn"], "%73n=1").as_deref(), Ok("%73n=1"));
        assert_eq!(filtered(&["/a"], "A=1").as_deref(), Ok(""));
    }

    #[test]
    fn a_declared_name_that_stands_twice_is_refused_however_it_is_written() {
        assert_eq!(filtered(&["/a"], "a=1&%61=2"), Err(Refusal::DuplicateName));
        assert_eq!(filtered(&["/a"], "x=1&x=2&a=3").as_deref(), Ok("a=3"));
    }

    #[test]
    fn what_leaves_room_for_doubt_does_not_pass() {
        assert_eq!(filtered(&["/a"], "a=%zz"), Err(Refusal::Encoding));
        assert_eq!(filtered(&["/a"], "a=%ff"), Err(Refusal::Encoding));
        assert_eq!(filtered(&["/a"], "a=1;b=2"), Err(Refusal::Encoding));
        assert_eq!(filtered(&["/*"], "%=1&;b=2&c=3").as_deref(), Ok("c=3"));
    }

    #[test]
    fn empty_pairs_are_dropped() {
        assert_eq!(filtered(&["/a"], "&&a=1&&").as_deref(), Ok("a=1"));
        assert_eq!(filtered(&["/a"], "").as_deref(), Ok(""));
    }

    #[test]
    fn an_empty_pair_has_no_name_not_even_an_empty_one() {
        assert_eq!(filtered(&["/*"], "&&a=1&&").as_deref(), Ok("a=1"));
        let mask = crate::Treatment { protection: Some(crate::Protection::Mask.into()), ..crate::Treatment::PASS };
        let (selection, mut out) = (Selection::with([("/", mask)]).unwrap(), Vec::new());
        assert_eq!((filter_form(&selection, None, b"", &mut out), out.as_slice()), (Ok(None), &b""[..]));
        assert_eq!((filter_form(&selection, None, b"&=x", &mut out), out.as_slice()), (Ok(None), &b"=%2A"[..]));
    }
}
