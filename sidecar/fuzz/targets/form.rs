//! Forms: what leaves are pairs of declared names in their order, as they were written but for those that are masked, and
//! filtering them again changes nothing.

#![no_main]

use lawflow_core::{Selection, filter_form};
use lawflow_fuzz::{Input, is_masked, mask};
use libfuzzer_sys::fuzz_target;

/// Names as pointers write them, and what they mean.
const NAMES: &[(&str, &str)] = &[("/a", "a"), ("/b", "b"), ("/", ""), ("/~2", "*"), ("/a b", "a b"), ("/é", "é")];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let (declared, masked) = (input.byte(), input.byte());
    let is_in = |set: u8, place: usize| set >> place & 1 == 1;
    let names = NAMES.iter().enumerate().filter(|(place, _)| is_in(declared, *place));
    let rules = names.map(|(place, (pointer, _))| {
        (*pointer, if is_in(masked, place) { mask() } else { lawflow_core::Treatment::PASS })
    });
    let takes_all = is_in(declared, 7);
    let star = takes_all.then_some(("/*", lawflow_core::Treatment::PASS));
    let selection = Selection::with(rules.chain(star)).unwrap();
    let filtered = |form: &[u8]| {
        let mut out = Vec::new();
        filter_form(&selection, None, form, &mut out).map(|_| out)
    };

    let Ok(out) = filtered(input.rest) else { return };
    assert_eq!(filtered(&out).as_ref(), Ok(&out), "filtering again changes nothing");
    if out.is_empty() {
        return;
    }
    let mut written = input.rest.split(|&byte| byte == b'&');
    for pair in out.split(|&byte| byte == b'&') {
        let (name, value) = halves(pair);
        let meaning = meant(name);
        let place = NAMES.iter().position(|(_, known)| *known == meaning);
        let named = place.filter(|place| is_in(declared, *place));
        assert!(takes_all || named.is_some(), "{meaning:?} is not declared");
        let is_masked_by_name = named.is_some_and(|place| is_in(masked, place));
        assert!(!is_masked_by_name || is_masked(&meant(value)), "{meaning:?} is in the clear");
        let stands = |other: &[u8]| if is_masked_by_name { halves(other).0 == name } else { other == pair };
        assert!(written.any(stands), "{meaning:?} stood elsewhere or was written otherwise");
    }
});

fn halves(pair: &[u8]) -> (&[u8], &[u8]) {
    let end = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
    (&pair[..end], pair.get(end + 1..).unwrap_or_default())
}

/// What passed is well-formed.
fn meant(written: &[u8]) -> String {
    let mut bytes = written.iter();
    let mut found = Vec::new();
    while let Some(&byte) = bytes.next() {
        found.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [*bytes.next().unwrap(), *bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(found).unwrap()
}
