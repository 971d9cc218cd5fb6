//! How a declared value is changed before it leaves: less of it, another in its place, or readable by one party alone.

use std::net::IpAddr;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::Refusal;

/// Characters that [`Protection::Mask`] shows of values that are long enough not to be told by them.
const SHOWN: usize = 4;
/// Characters of the shortest value of which any are shown.
const LONG: usize = 12;
/// Characters that [`Protection::Truncate`] leaves, of values with twice as many or more.
const PREFIX: usize = 3;
/// Bytes of a pseudonym: 128 bits, so that no two values of a dataset meet by chance.
const PSEUDONYM: usize = 16;
/// Bytes of the nonce of AES-GCM (RFC 7518, section 5.3).
const NONCE: usize = 12;

/// A secret that the control plane derives for one purpose of one flow and replaces from time to time.
#[derive(Clone)]
pub struct Key {
    /// Tells the key from its predecessors; it stands in the clear beside what was made with it.
    pub id: Box<str>,
    /// The secret.
    pub secret: [u8; 32],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Key({:?})", self.id)
    }
}

/// A change of a value on its way.
#[derive(Clone, Debug)]
pub enum Protection {
    /// Stars, but for the last characters of long values.
    Mask,
    /// The first characters only, e.g. the area of a postcode.
    Truncate,
    /// Dates to their year, IP addresses to their network (/24 and /48), all else to its first characters.
    Generalize,
    /// A keyed hash (HMAC-SHA256, RFC 2104): the same for the same value under the same key (Article 4(5)).
    Pseudonymize(Key),
    /// JWE in its compact form (RFC 7516), with a key of its own for each data subject.
    Encrypt(Key),
}

impl Protection {
    /// What a `DataFlow` calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Truncate => "truncate",
            Self::Generalize => "generalize",
            Self::Pseudonymize(_) => "pseudonymize",
            Self::Encrypt(_) => "encrypt",
        }
    }

    /// What leaves in the place of `value`, a string's content or a number or literal as it was written.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unprotected`] where there is no randomness to encrypt with.
    pub fn protect(&self, value: &str, subject: Option<&str>) -> Result<String, Refusal> {
        match self {
            Self::Mask => Ok(masked(value)),
            Self::Truncate => Ok(prefix(value).to_owned()),
            Self::Generalize => Ok(generalized(value)),
            Self::Pseudonymize(key) => Ok(format!("{}.{}", key.id, keyed(key, b"pseudonym", value))),
            Self::Encrypt(key) => encrypted(key, value, subject.unwrap_or_default()),
        }
    }
}

fn masked(value: &str) -> String {
    let length = value.chars().count();
    let hidden = if length >= LONG { length - SHOWN } else { length };
    value.chars().enumerate().map(|(place, character)| if place < hidden { '*' } else { character }).collect()
}

fn prefix(value: &str) -> &str {
    let kept = PREFIX.min(value.chars().count() / 2);
    value.char_indices().nth(kept).map_or(value, |(end, _)| &value[..end])
}

fn generalized(value: &str) -> String {
    if let Some(year) = year(value) {
        return year.to_owned();
    }
    match value.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0")
        }
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string()
        }
        Err(_) => prefix(value).to_owned(),
    }
}

/// The year of a date or of a date and time (RFC 3339, section 5.6).
fn year(value: &str) -> Option<&str> {
    let bytes = value.as_bytes();
    let date = bytes.get(..10)?;
    let is_date = date.iter().enumerate().all(|(place, byte)| match place {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    (is_date && matches!(bytes.get(10), None | Some(b'T' | b't' | b' '))).then(|| &value[..4])
}

fn digest(key: &Key, usage: &[u8], value: &str) -> [u8; 32] {
    // A key of any length will do for HMAC (RFC 2104, section 2), so the error cannot come.
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(&key.secret) else { return [0; 32] };
    mac.update(usage);
    mac.update(b"\0");
    mac.update(value.as_bytes());
    mac.finalize().into_bytes().into()
}

fn keyed(key: &Key, usage: &[u8], value: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(key, usage, value)[..PSEUDONYM])
}

fn encrypted(key: &Key, value: &str, subject: &str) -> Result<String, Refusal> {
    let kid = format!("{}.{}", key.id, keyed(key, b"kid", subject));
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"dir","enc":"A256GCM","kid":"{kid}"}}"#));
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|_| Refusal::Unprotected)?;
    let cipher = Aes256Gcm::new(&digest(key, b"encrypt", subject).into());
    let payload = Payload { msg: value.as_bytes(), aad: header.as_bytes() };
    let sealed = cipher.encrypt(&nonce.into(), payload).map_err(|_| Refusal::Unprotected)?;
    let (text, tag) = sealed.split_at(value.len());
    Ok(format!(
        "{header}..{}.{}.{}",
        URL_SAFE_NO_PAD.encode(nonce),
        URL_SAFE_NO_PAD.encode(text),
        URL_SAFE_NO_PAD.encode(tag)
    ))
}

/// The key that values of one data subject are encrypted with, for who may read them.
#[must_use]
pub fn content_key(key: &Key, subject: Option<&str>) -> [u8; 32] {
    digest(key, b"encrypt", subject.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Key {
        Key { id: id.into(), secret: [7; 32] }
    }

    fn protected(protection: &Protection, value: &str) -> String {
        protection.protect(value, Some("anna")).unwrap()
    }

    #[test]
    fn a_mask_shows_the_end_of_long_values_alone() {
        assert_eq!(protected(&Protection::Mask, "NL91ABNA0417164300"), "**************4300");
        assert_eq!(protected(&Protection::Mask, "ünïcödé"), "*******");
        assert_eq!(protected(&Protection::Mask, ""), "");
    }

    #[test]
    fn a_prefix_never_is_the_value() {
        for (value, kept) in [("1012 AB", "101"), ("12", "1"), ("1", ""), ("", ""), ("ééé", "é"), ("12345", "12")] {
            assert_eq!(protected(&Protection::Truncate, value), kept);
        }
    }

    #[test]
    fn dates_become_years_and_addresses_networks() {
        for (value, kept) in [
            ("1984-02-29", "1984"),
            ("1984-02-29T23:59:60Z", "1984"),
            ("192.0.2.77", "192.0.2.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            ("::ffff:192.0.2.77", "192.0.2.0"),
            ("1984-02-2x", "198"),
            ("1984-02-29x", "198"),
        ] {
            assert_eq!(protected(&Protection::Generalize, value), kept);
        }
    }

    #[test]
    fn a_pseudonym_is_the_same_for_the_same_value_and_key_only() {
        let one = protected(&Protection::Pseudonymize(key("k1")), "anna@example.org");
        assert_eq!(one, protected(&Protection::Pseudonymize(key("k1")), "anna@example.org"));
        assert_ne!(one, protected(&Protection::Pseudonymize(key("k1")), "anne@example.org"));
        let other = Protection::Pseudonymize(Key { id: "k1".into(), secret: [8; 32] });
        assert_ne!(one, protected(&other, "anna@example.org"));
        assert!(one.starts_with("k1.") && !one.contains("anna"));
    }

    #[test]
    fn what_is_encrypted_opens_with_the_subjects_key_alone() {
        let key = key("k1");
        let sealed = protected(&Protection::Encrypt(key.clone()), "diabetes");
        assert_ne!(sealed, protected(&Protection::Encrypt(key.clone()), "diabetes"));
        let parts: Vec<&str> = sealed.split('.').collect();
        let [header, "", nonce, text, tag] = parts[..] else { panic!("{sealed}") };
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let nonce: [u8; NONCE] = decoded(nonce).try_into().unwrap();
        let sealed = [decoded(text), decoded(tag)].concat();
        let open = |subject| {
            let cipher = Aes256Gcm::new(&content_key(&key, subject).into());
            cipher.decrypt(&nonce.into(), Payload { msg: &sealed, aad: header.as_bytes() })
        };
        assert_eq!(open(Some("anna")).unwrap(), b"diabetes");
        assert!(open(Some("bert")).is_err());
        assert!(String::from_utf8(decoded(header)).unwrap().contains(r#""kid":"k1."#));
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", key("k1")), "Key(\"k1\")");
    }
}
