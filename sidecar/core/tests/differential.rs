//! The filter against a reference that is slow and plain: the same documents, the same verdict, the same bytes, however
//! the document is cut into chunks.

mod reference;

use std::fmt::Write;
use std::sync::Arc;

use lawflow_core::{JsonFilter, Limits, Refusal, Selection};
use proptest::prelude::*;

/// As many as `PROPTEST_CASES` says, for long runs.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2000)
}

fn filtered(selection: &Selection, chunks: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let mut filter = JsonFilter::new(Arc::new(selection.clone()), Limits::default());
    let mut out = Vec::new();
    for chunk in chunks {
        filter.feed(chunk, &mut out)?;
    }
    filter.finish()?;
    Ok(out)
}

fn selection(pointers: &[String]) -> Selection {
    Selection::new(pointers.iter().map(String::as_str)).unwrap_or_default()
}

fn names() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "", "a/b", "*", "0", "1", "é", "\u{10000}"])
}

fn pointers() -> impl Strategy<Value = Vec<String>> {
    let token = prop_oneof![
        3 => names().prop_map(|name| name.replace('~', "~0").replace('/', "~1").replace('*', "~2")),
        2 => Just("*".to_owned()),
    ];
    let pointer = (prop::collection::vec(token, 1..4), prop::bool::weighted(0.2)).prop_map(|(tokens, rest)| {
        let path = tokens.iter().fold(String::new(), |path, token| path + "/" + token);
        if rest { path + "/**" } else { path }
    });
    prop::collection::vec(pointer, 0..6)
}

/// A string of JSON as somebody might write it: plainly, or with any character as an escape.
fn written(text: &str, escaped: &[bool]) -> String {
    let mut found = String::from("\"");
    for (place, character) in text.chars().enumerate() {
        let must = matches!(character, '"' | '\\') || (character as u32) < 0x20;
        if must || escaped.get(place % escaped.len().max(1)).copied().unwrap_or(false) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(found, "\\u{unit:04x}");
            }
        } else {
            found.push(character);
        }
    }
    found + "\""
}

fn documents() -> impl Strategy<Value = String> {
    let space = || prop::sample::select(vec!["", "", "", " ", "\n\t", "\r\n  "]);
    let scalar = prop_oneof![
        prop::sample::select(vec!["null", "true", "false", "0", "-0.0", "1e9", "12", "-3.25E-7", "9007199254740993"])
            .prop_map(str::to_owned),
        ("[ -~éß😀\n\"\\\\]{0,12}", prop::collection::vec(any::<bool>(), 1..4))
            .prop_map(|(text, escaped)| written(&text, &escaped)),
    ];
    let value = scalar.prop_recursive(4, 40, 5, move |inner| {
        let name = (names(), prop::collection::vec(prop::bool::weighted(0.2), 1..4))
            .prop_map(|(name, escaped)| written(name, &escaped));
        prop_oneof![
            (prop::collection::vec((inner.clone(), space()), 0..5), space()).prop_map(|(elements, space)| {
                let parts: Vec<_> = elements.iter().map(|(element, after)| format!("{element}{after}")).collect();
                format!("[{space}{}]", parts.join(&format!(",{space}")))
            }),
            (prop::collection::vec((name, inner, space()), 0..5), space()).prop_map(|(members, space)| {
                let parts: Vec<_> =
                    members.iter().map(|(name, value, after)| format!("{name}{after}:{space}{value}{after}")).collect();
                format!("{{{space}{}}}", parts.join(","))
            }),
        ]
    });
    (space(), value, space()).prop_map(|(before, value, after)| format!("{before}{value}{after}"))
}

fn cut<'b>(body: &'b [u8], places: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<_> = places.iter().map(|place| place.index(body.len() + 1)).collect();
    cuts.extend([0, body.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_leaves_is_what_the_reference_lets_through(pointers in pointers(), body in documents()) {
        let found = filtered(&selection(&pointers), &[body.as_bytes()]);
        prop_assert_eq!(found.clone().ok(), reference::filtered(&pointers, body.as_bytes()), "{:?}", found);
    }

    #[test]
    fn chunks_never_matter(
        pointers in pointers(),
        body in documents(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let selection = selection(&pointers);
        let whole = filtered(&selection, &[body.as_bytes()]);
        prop_assert_eq!(filtered(&selection, &cut(body.as_bytes(), &places)), whole.clone());
        let single: Vec<_> = body.as_bytes().chunks(1).collect();
        prop_assert_eq!(filtered(&selection, &single), whole);
    }

    #[test]
    fn a_damaged_document_is_refused_where_the_reference_refuses_it(
        pointers in pointers(),
        body in documents(),
        place in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(b"{}[],:\"\\ u0-.eE".to_vec())],
        insert in any::<bool>(),
    ) {
        let mut body = body.into_bytes();
        let at = place.index(body.len());
        if insert { body.insert(at, byte) } else { body[at] = byte }
        let selection = selection(&pointers);
        let found = filtered(&selection, &[&body]);
        prop_assert_eq!(found.clone().ok(), reference::filtered(&pointers, &body), "{:?}", found);
        let single: Vec<_> = body.chunks(1).collect();
        prop_assert_eq!(filtered(&selection, &single).ok(), found.ok());
    }

    #[test]
    fn a_cut_off_document_is_never_taken_for_a_whole_one(pointers in pointers(), body in documents()) {
        let selection = selection(&pointers);
        for end in 0..body.len() {
            let part = &body.as_bytes()[..end];
            prop_assert_eq!(filtered(&selection, &[part]).ok(), reference::filtered(&pointers, part));
        }
    }

    #[test]
    fn what_leaves_is_json_and_passes_unchanged(pointers in pointers(), body in documents()) {
        let selection = selection(&pointers);
        if let Ok(once) = filtered(&selection, &[body.as_bytes()]) {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&once).is_ok());
            prop_assert_eq!(filtered(&selection, &[&once]), Ok(once.clone()));
        }
    }

    #[test]
    fn any_bytes_at_all_get_an_answer(pointers in pointers(), body in prop::collection::vec(any::<u8>(), 0..64)) {
        let found = filtered(&selection(&pointers), &[&body]);
        prop_assert_eq!(found.ok(), reference::filtered(&pointers, &body));
    }
}
