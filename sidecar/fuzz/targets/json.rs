//! JSON, in any chunks: where fields pass as they are, the same verdict and bytes as the reference; where some are masked
//! or dropped, what leaves is JSON, each value of it is declared, and what is masked by its full name is.

#![no_main]

#[path = "../../core/tests/reference/mod.rs"]
mod reference;

use std::sync::Arc;

use lawflow_core::{JsonFilter, Limits, Refusal, Selection, Treatment};
use lawflow_fuzz::{Input, chunks, is_masked, mask};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let (is_plain, count) = (input.byte() & 1 == 0, input.below(6));
    let rules: Vec<(String, Fate)> = (0..count).map(|_| (input.pointer(), fate(&mut input, is_plain))).collect();
    let cuts = input.cuts();
    let body = input.rest;
    let treated = rules.iter().map(|(pointer, fate)| (pointer.as_str(), fate.treatment(pointer)));
    let selection = Arc::new(Selection::with(treated).unwrap());

    let whole = filtered(&selection, &[body]);
    assert_eq!(filtered(&selection, &chunks(body, &cuts)).ok(), whole.clone().ok());
    assert_eq!(filtered(&selection, &body.chunks(1).collect::<Vec<_>>()).ok(), whole.clone().ok());
    if is_plain && whole != Err(Refusal::Depth) {
        let pointers: Vec<String> = rules.iter().map(|(pointer, _)| pointer.clone()).collect();
        assert_eq!(whole.clone().ok(), reference::filtered(&pointers, body), "{whole:?} {pointers:?}");
    }
    let Ok(out) = whole else { return };
    assert_eq!(reference::filtered(&["/**".to_owned()], &out).as_ref(), Some(&out), "what leaves is JSON");
    // Numbers beyond what this parser holds are JSON as well.
    if let Ok(document) = serde_json::from_slice(&out) {
        check(&document, &rules, &mut Vec::new());
    }
});

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Passes,
    Masked,
    Dropped,
}

impl Fate {
    fn treatment(self, pointer: &str) -> Treatment {
        match self {
            Self::Passes => Treatment::PASS,
            // A subtree passes as it is.
            _ if pointer.ends_with("/**") => Treatment::PASS,
            Self::Masked => mask(),
            Self::Dropped => Treatment::default(),
        }
    }
}

fn fate(input: &mut Input<'_>, is_plain: bool) -> Fate {
    if is_plain { Fate::Passes } else { *input.one_of(&[Fate::Passes, Fate::Masked, Fate::Dropped]) }
}

fn filtered(selection: &Arc<Selection>, chunks: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let mut filter = JsonFilter::new(Arc::clone(selection), Limits::default());
    let mut out = Vec::new();
    for chunk in chunks {
        filter.feed(chunk, &mut out)?;
    }
    filter.finish()?;
    Ok(out)
}

/// Steps of a path: a name as pointers write it, nothing for a place in an array.
fn check(value: &Value, rules: &[(String, Fate)], path: &mut Vec<Option<String>>) {
    let mut below = |step: Option<String>, value: &Value| {
        path.push(step);
        check(value, rules, path);
        path.pop();
    };
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| below(None, element)),
        Value::Object(members) => members.iter().for_each(|(name, member)| below(Some(escaped(name)), member)),
        single => {
            let passes = |(pointer, fate): &(String, Fate)| {
                (*fate != Fate::Dropped || pointer.ends_with("/**")) && leads_to(pointer, path)
            };
            assert!(rules.iter().any(passes), "{path:?} is not declared: {rules:?}");
            let names: Option<String> = path.iter().map(|step| step.as_ref().map(|name| format!("/{name}"))).collect();
            let at = |wanted| rules.iter().any(|(pointer, fate)| Some(pointer) == names.as_ref() && *fate == wanted);
            if at(Fate::Masked) && !path.is_empty() {
                assert!(
                    single.is_null() || single.as_str().is_some_and(is_masked),
                    "{path:?} is in the clear: {rules:?}"
                );
            }
        }
    }
}

fn leads_to(pointer: &str, path: &[Option<String>]) -> bool {
    let mut tokens: Vec<&str> = pointer.split('/').skip(1).collect();
    let fits =
        |tokens: &[&str]| tokens.iter().zip(path).all(|(token, step)| *token == "*" || step.as_deref() == Some(*token));
    if tokens.last() == Some(&"**") {
        tokens.pop();
        return tokens.len() <= path.len() && fits(&tokens);
    }
    tokens.len() == path.len() && fits(&tokens)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1").replace('*', "~2")
}
