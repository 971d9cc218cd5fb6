//! Headers that pass undeclared, because HTTP itself needs them, and the values in which they say nothing of anybody.
//!
//! A value of free text would carry whatever an app puts there, so each header has a closed vocabulary: what is not in
//! it is left out, and a header of which nothing is left is dropped. Who needs more declares the header.

use super::METHODS;
use crate::Direction;

/// What leaves of a value; `None` where nothing does.
type Rule = fn(&str) -> Option<String>;

/// Request headers that carry a message and say nothing of anybody. All others pass only where they are declared:
/// cookies, referers, user agents, forwarded addresses, languages and trace ids tell people apart.
#[rustfmt::skip]
const REQUEST: &[(&str, Rule)] = &[
    ("accept", accept), ("cache-control", cache_control), ("content-length", number), ("content-type", content_type),
    ("grpc-timeout", timeout), ("if-match", any), ("if-modified-since", date), ("if-none-match", any),
    ("if-unmodified-since", date), ("lawflow-flow", checked), ("lawflow-purpose", checked), ("max-forwards", number),
    ("pragma", pragma), ("prefer", preferences), ("te", trailers), ("transfer-encoding", checked),
];

/// Response headers of that kind. An `etag` or `location` may well name somebody and has to be declared.
#[rustfmt::skip]
const RESPONSE: &[(&str, Rule)] = &[
    ("age", number), ("allow", methods), ("cache-control", cache_control), ("content-language", languages),
    ("content-length", number), ("content-type", content_type), ("date", date), ("expires", expires),
    ("grpc-status", number), ("last-modified", date), ("pragma", pragma), ("preference-applied", preferences),
    ("retry-after", retry_after), ("transfer-encoding", checked), ("vary", vary), ("www-authenticate", scheme),
];

/// Media types in which fields can be told, and those that say more of JSON than that it is some.
#[rustfmt::skip]
const MEDIA_TYPES: &[&str] = &[
    "application/cloudevents+json", "application/fhir+json", "application/geo+json", "application/grpc",
    "application/grpc+proto", "application/hal+json", "application/json", "application/json-patch+json",
    "application/jsonl", "application/ld+json", "application/merge-patch+json", "application/ndjson",
    "application/problem+json", "application/protobuf", "application/scim+json", "application/vnd.api+json",
    "application/x-jsonlines", "application/x-ndjson", "application/x-protobuf", "application/x-www-form-urlencoded",
    "text/json",
];

/// Directives of RFC 9111, section 5.2, RFC 5861 and RFC 8246.
#[rustfmt::skip]
const DIRECTIVES: &[&str] = &[
    "immutable", "must-revalidate", "must-understand", "no-cache", "no-store", "no-transform", "only-if-cached",
    "private", "proxy-revalidate", "public",
];
const TIMED_DIRECTIVES: &[&str] =
    &["max-age", "max-stale", "min-fresh", "s-maxage", "stale-if-error", "stale-while-revalidate"];

/// Preferences of RFC 7240; `wait` has a number beside them.
const PREFERENCES: &[&str] =
    &["handling=lenient", "handling=strict", "respond-async", "return=minimal", "return=representation"];

/// Names that a `vary` may repeat, beside those of technical headers.
#[rustfmt::skip]
const VARYING: &[&str] = &[
    "*", "accept-charset", "accept-encoding", "accept-language", "authorization", "cookie", "origin", "user-agent",
];

/// Authentication schemes that are understood by their names alone (RFC 6750, 7617, 4559 and 9449).
const SCHEMES: &[&str] = &["Basic", "Bearer", "DPoP", "Negotiate"];

/// The form of a date: `0` stands for a digit, `*` for a letter of a day or month.
const DATE: &[u8] = b"***, 00 *** 0000 00:00:00 GMT";
const DAYS: &[&[u8]] = &[b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
#[rustfmt::skip]
const MONTHS: &[&[u8]] =
    &[b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Digits of the largest number: ten hold every count of seconds and every length.
const DIGITS: usize = 10;

/// Bytes of the longest name of a flow or purpose: both are written in resources of Kubernetes.
const CHECKED: usize = 1024;

/// Whether a header is one of those that nearly every message has, in a form that nothing has to be done to.
pub fn is_common(direction: Direction, name: &[u8], value: &[u8]) -> bool {
    match name {
        b"content-length" => (1..=DIGITS).contains(&value.len()) && value.iter().all(u8::is_ascii_digit),
        b"content-type" => value == b"application/json",
        b"date" => direction == Direction::Response && is_date(value),
        b"transfer-encoding" => value == b"chunked",
        _ => false,
    }
}

/// What leaves of the value of an undeclared header; `None` where the header is dropped.
pub fn value(direction: Direction, name: &str, value: &[u8]) -> Option<String> {
    let rules = if direction == Direction::Request { REQUEST } else { RESPONSE };
    let (_, rule) = rules[rules.binary_search_by_key(&name, |&(name, _)| name).ok()?];
    rule(std::str::from_utf8(value).ok()?.trim())
}

/// Envoy or the policy has checked the value; only its length is left to look at.
fn checked(value: &str) -> Option<String> {
    (value.len() <= CHECKED).then(|| value.to_owned())
}

/// The parts of a list that are in a vocabulary, as that writes them.
fn listed(value: &str, part: impl Fn(&str) -> Option<String>) -> Option<String> {
    let kept: Vec<String> = value.split(',').filter_map(|each| part(each.trim())).collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

fn one_of(vocabulary: &[&str], word: &str) -> Option<String> {
    vocabulary.iter().find(|each| each.eq_ignore_ascii_case(word)).map(|each| (*each).to_owned())
}

fn is_number(text: &str) -> bool {
    (1..=DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(value: &str) -> Option<String> {
    is_number(value).then(|| value.to_owned())
}

/// An entity tag is a text of the app's own; that there is one at all is not.
fn any(value: &str) -> Option<String> {
    (value == "*").then(|| value.to_owned())
}

/// Without its parameters, of which JSON has none that mean anything (RFC 8259, section 11).
fn content_type(value: &str) -> Option<String> {
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    one_of(MEDIA_TYPES, &essence).or_else(|| {
        let is_json = essence.starts_with("application/") && essence.ends_with("+json");
        is_json.then(|| "application/json".to_owned())
    })
}

fn accept(value: &str) -> Option<String> {
    listed(value, |range| {
        let mut parts = range.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let range = one_of(MEDIA_TYPES, essence).or_else(|| one_of(&["*/*", "application/*", "text/*"], essence))?;
        let weight = parts.find_map(|part| part.strip_prefix("q=")).filter(|weight| is_weight(weight));
        Some(weight.map_or_else(|| range.clone(), |weight| format!("{range};q={weight}")))
    })
}

/// RFC 9110, section 12.4.2.
fn is_weight(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    matches!(whole, "0" | "1") && fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn cache_control(value: &str) -> Option<String> {
    listed(value, |directive| match directive.split_once('=') {
        None => one_of(DIRECTIVES, directive).or_else(|| one_of(&["max-stale"], directive)),
        Some((name, seconds)) => {
            let name = one_of(TIMED_DIRECTIVES, name)?;
            is_number(seconds).then(|| format!("{name}={seconds}"))
        }
    })
}

fn pragma(value: &str) -> Option<String> {
    one_of(&["no-cache"], value)
}

fn preferences(value: &str) -> Option<String> {
    listed(value, |preference| {
        let preference = preference.split(';').next().unwrap_or_default().trim();
        one_of(PREFERENCES, preference)
            .or_else(|| preference.strip_prefix("wait=").filter(|each| is_number(each)).map(|_| preference.to_owned()))
    })
}

fn trailers(value: &str) -> Option<String> {
    listed(value, |coding| one_of(&["trailers"], coding))
}

/// The header `grpc-timeout` of gRPC over HTTP/2.
fn timeout(value: &str) -> Option<String> {
    let count = value.strip_suffix(['H', 'M', 'S', 'm', 'u', 'n'])?;
    (count.len() <= 8 && is_number(count)).then(|| value.to_owned())
}

fn methods(value: &str) -> Option<String> {
    listed(value, |method| one_of(METHODS, method))
}

/// A language, perhaps with a region: `de`, `de-AT`.
fn languages(value: &str) -> Option<String> {
    listed(value, |tag| {
        let (language, region) = tag.split_once('-').unwrap_or((tag, ""));
        let is_language = matches!(language.len(), 2 | 3) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_region = matches!(region.len(), 0 | 2) && region.bytes().all(|byte| byte.is_ascii_alphabetic());
        (is_language && is_region).then(|| tag.to_owned())
    })
}

/// The preferred form of RFC 9110, section 5.6.7: `Tue, 24 Nov 2026 20:00:00 GMT`.
fn date(value: &str) -> Option<String> {
    is_date(value.as_bytes()).then(|| value.to_owned())
}

fn is_date(value: &[u8]) -> bool {
    let fits =
        |(&byte, &form): (&u8, &u8)| if form == b'0' { byte.is_ascii_digit() } else { form == b'*' || byte == form };
    value.len() == DATE.len()
        && value.iter().zip(DATE).all(fits)
        && DAYS.contains(&&value[..3])
        && MONTHS.contains(&&value[8..11])
}

fn expires(value: &str) -> Option<String> {
    if matches!(value, "0" | "-1") { Some(value.to_owned()) } else { date(value) }
}

fn retry_after(value: &str) -> Option<String> {
    number(value).or_else(|| date(value))
}

fn vary(value: &str) -> Option<String> {
    listed(value, |name| {
        let technical = REQUEST.iter().find(|(each, _)| each.eq_ignore_ascii_case(name));
        technical.map(|(name, _)| (*name).to_owned()).or_else(|| one_of(VARYING, name))
    })
}

/// The scheme alone: realms and errors are free text.
fn scheme(value: &str) -> Option<String> {
    one_of(SCHEMES, value.split([' ', ',']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, text: &str) -> Option<String> {
        value(Direction::Request, name, text.as_bytes())
    }

    fn response(name: &str, text: &str) -> Option<String> {
        value(Direction::Response, name, text.as_bytes())
    }

    #[test]
    fn the_lists_are_sorted_so_that_names_are_found_in_them() {
        assert!(REQUEST.is_sorted_by_key(|(name, _)| name) && RESPONSE.is_sorted_by_key(|(name, _)| name));
    }

    #[test]
    fn what_is_common_passes_as_the_rules_would_have_it() {
        for (name, text) in
            [("content-length", "12"), ("content-type", "application/json"), ("transfer-encoding", "chunked")]
        {
            assert!(is_common(Direction::Request, name.as_bytes(), text.as_bytes()));
            assert!(is_common(Direction::Response, name.as_bytes(), text.as_bytes()));
            assert_eq!(request(name, text).as_deref(), Some(text));
            assert_eq!(response(name, text).as_deref(), Some(text));
        }
        let date = "Tue, 24 Nov 2026 20:00:00 GMT";
        assert!(is_common(Direction::Response, b"date", date.as_bytes()));
        assert!(!is_common(Direction::Request, b"date", date.as_bytes()) && request("date", date).is_none());
        assert_eq!(response("date", date).as_deref(), Some(date));
        for (name, text) in
            [("content-length", ""), ("content-length", "12345678901"), ("content-type", "application/json; jane")]
        {
            assert!(!is_common(Direction::Request, name.as_bytes(), text.as_bytes()), "{name}: {text}");
        }
    }

    #[test]
    fn values_as_they_are_used_stay_as_they_are() {
        for (name, text) in [
            ("accept", "application/json, */*;q=0.8"),
            ("cache-control", "no-cache, max-age=0"),
            ("content-length", "12"),
            ("grpc-timeout", "100m"),
            ("if-none-match", "*"),
            ("if-modified-since", "Tue, 24 Nov 2026 20:00:00 GMT"),
            ("lawflow-purpose", "dpv:PaymentManagement"),
            ("prefer", "return=minimal, wait=10"),
            ("te", "trailers"),
        ] {
            assert_eq!(request(name, text).as_deref(), Some(text), "{name}");
        }
        for (name, text) in [
            ("allow", "GET, HEAD"),
            ("cache-control", "public, max-age=60, stale-while-revalidate=30"),
            ("content-language", "de-AT, en"),
            ("content-type", "application/problem+json"),
            ("expires", "0"),
            ("retry-after", "120"),
            ("vary", "accept, accept-encoding"),
            ("www-authenticate", "Bearer"),
        ] {
            assert_eq!(response(name, text).as_deref(), Some(text), "{name}");
        }
    }

    #[test]
    fn what_is_in_no_vocabulary_is_left_out() {
        for (name, text, left) in [
            ("accept", "application/json;profile=jane, x/jane, */*;q=jane", Some("application/json, */*")),
            ("cache-control", "jane, private=\"jane\", max-age=jane, No-Store", Some("no-store")),
            ("content-type", "Application/JSON; charset=utf-8", Some("application/json")),
            ("content-type", "application/vnd.jane+json", Some("application/json")),
            ("content-type", "text/jane", None),
            ("grpc-timeout", "123456789m", None),
            ("if-match", "\"jane\"", None),
            ("if-modified-since", "Tue, 24 Nov 2026 20:00:00 jane", None),
            ("if-modified-since", "Ann, 24 Nov 2026 20:00:00 GMT", None),
            ("if-modified-since", "Tue, 24 Ann 2026 20:00:00 GMT", None),
            ("if-modified-since", "Tue, 24 Nov 2026 20:00:0x GMT", None),
            ("if-modified-since", "Tue, 24 Nov 2026 20:00:00 GMT ann", None),
            ("max-forwards", "12345678901", None),
            ("prefer", "jane, wait=1; jane, wait=jane", Some("wait=1")),
            ("te", "jane", None),
            ("x-jane", "1", None),
        ] {
            assert_eq!(request(name, text).as_deref(), left, "{name}: {text}");
        }
        for (name, text, left) in [
            ("allow", "JANE", None),
            ("content-language", "en-jane, jane", None),
            ("retry-after", "jane", None),
            ("vary", "x-jane, Accept", Some("accept")),
            ("www-authenticate", "Bearer realm=\"jane\"", Some("Bearer")),
            ("www-authenticate", "Jane", None),
        ] {
            assert_eq!(response(name, text).as_deref(), left, "{name}: {text}");
        }
        assert_eq!(value(Direction::Request, "accept", b"\xff"), None);
    }
}
