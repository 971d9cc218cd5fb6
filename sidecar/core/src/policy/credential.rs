//! How a source shows a host outside who it is: a token, and with each request a proof that it may use it.
//!
//! The token names a key (RFC 9449, section 6.1), and the proof is signed with that key for one request (section 4.2).
//! So neither is worth anything to who reads or repeats them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::problem::Problem;
use super::{PolicyError, document};

/// The header that carries the token.
pub const AUTHORIZATION: &str = "authorization";
/// The header that carries the proof.
pub const PROOF: &str = "dpop";
const COORDINATE_BYTES: usize = 32;

/// What a source shows a host outside.
#[derive(Debug)]
pub struct Credential {
    key: EcdsaKeyPair,
    random: SystemRandom,
    /// The proof's own header, which is the same for all requests.
    header: Box<str>,
    /// Seconds since 1970 from which on the tokens are worth nothing.
    expires: u64,
    /// By purpose.
    tokens: BTreeMap<Box<str>, Token>,
}

#[derive(Debug)]
struct Token {
    text: Box<str>,
    hash: Box<str>,
}

/// The values of [`AUTHORIZATION`] and [`PROOF`] for one request.
#[derive(Debug)]
pub struct Presentation {
    /// The token.
    pub authorization: String,
    /// The proof.
    pub proof: String,
}

/// The request that a proof is for.
#[derive(Clone, Copy, Debug)]
pub struct Proven<'r> {
    /// Its method.
    pub method: &'r str,
    /// HOST:PORT.
    pub port: &'r str,
    /// Its path, with or without a query, which the proof leaves out.
    pub path: &'r str,
    /// What it is for.
    pub purpose: &'r str,
}

impl Credential {
    pub(super) fn new(written: document::Credential) -> Result<Self, PolicyError> {
        let unusable = || PolicyError::new("the key of a credential is not one of P-256");
        let key = STANDARD.decode(&written.key).map_err(|_| unusable())?;
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &random).map_err(|_| unusable())?;
        // A point that is not compressed: 4, x and y (SEC 1, section 2.3.3).
        let Some((x, y)) =
            key.public_key().as_ref().get(1..).and_then(|point| point.split_at_checked(COORDINATE_BYTES))
        else {
            return Err(unusable());
        };
        let jwk = json!({"crv": "P-256", "kty": "EC", "x": encoded(x), "y": encoded(y)});
        let header = json!({"alg": "ES256", "jwk": jwk, "typ": "dpop+jwt"}).to_string();
        let token = |text: String| Token { hash: encoded(Sha256::digest(&text)).into(), text: text.into() };
        Ok(Self {
            key,
            random,
            header: encoded(header).into(),
            expires: written.expires,
            tokens: written.tokens.into_iter().map(|(purpose, text)| (purpose.into(), token(text))).collect(),
        })
    }

    /// What to send along with a request; `now` is in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Problem`] where no token holds any more, or none is for the purpose.
    pub fn present(&self, request: Proven<'_>, now: u64) -> Result<Presentation, Problem> {
        let token = self.tokens.get(request.purpose).filter(|_| now < self.expires).ok_or_else(|| {
            Problem::denied(
                "no-credential",
                "The sidecar has no token to identify the source with",
                format!(
                    "a token for {} lives for minutes and comes from the control plane, which has not been heard of",
                    request.port
                ),
                None,
            )
        })?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Problem::defect())?;
        let host = request.port.strip_suffix(":443").unwrap_or(request.port);
        let path = request.path.split('?').next().unwrap_or_default();
        let claims = json!({
            "jti": encoded(id),
            "htm": request.method,
            "htu": format!("https://{host}{path}"),
            "iat": now,
            "ath": token.hash,
        });
        let mut proof = format!("{}.{}", self.header, encoded(claims.to_string()));
        let signature = self.key.sign(&self.random, proof.as_bytes()).map_err(|_| Problem::defect())?;
        proof.push('.');
        proof.push_str(&encoded(signature));
        Ok(Presentation { authorization: format!("DPoP {}", token.text), proof })
    }
}

/// Base64url without padding (RFC 7515, section 2).
fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    const REQUEST: Proven<'static> =
        Proven { method: "POST", port: "psp.example:443", path: "/v1/charges?x=1", purpose: "dpv:PaymentManagement" };

    fn new_key() -> String {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        STANDARD.encode(made)
    }

    fn credential(key: &str) -> Result<Credential, PolicyError> {
        let tokens = BTreeMap::from([(REQUEST.purpose.to_owned(), "a.b.c".to_owned())]);
        Credential::new(document::Credential { key: key.to_owned(), expires: 1000, tokens })
    }

    fn decoded(part: &str) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn a_proof_is_signed_for_one_request_and_its_token() {
        let credential = credential(&new_key()).unwrap();
        let presented = credential.present(REQUEST, 999).unwrap();
        assert_eq!(presented.authorization, "DPoP a.b.c");
        let [header, claims, signature]: [&str; 3] = presented.proof.split('.').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((&decoded(header)["typ"], &decoded(header)["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
        let claims_read = decoded(claims);
        assert_eq!(claims_read["htm"], "POST");
        assert_eq!(claims_read["htu"], "https://psp.example/v1/charges");
        assert_eq!(claims_read["iat"], 999);
        assert_eq!(claims_read["ath"], encoded(Sha256::digest("a.b.c")));
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, credential.key.public_key());
        key.verify(format!("{header}.{claims}").as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    }

    #[test]
    fn no_two_proofs_are_alike() {
        let credential = credential(&new_key()).unwrap();
        let proof = || credential.present(REQUEST, 999).unwrap().proof;
        assert_ne!(proof(), proof());
    }

    #[test]
    fn a_port_of_its_own_is_part_of_what_is_proven() {
        let credential = credential(&new_key()).unwrap();
        let presented = credential.present(Proven { port: "psp.example:8443", ..REQUEST }, 999).unwrap();
        let claims = decoded(presented.proof.split('.').nth(1).unwrap());
        assert_eq!(claims["htu"], "https://psp.example:8443/v1/charges");
    }

    #[test]
    fn an_old_token_and_one_for_another_purpose_are_not_shown() {
        let credential = credential(&new_key()).unwrap();
        assert_eq!(credential.present(REQUEST, 1000).unwrap_err().rule, "no-credential");
        let other = Proven { purpose: "dpv:Marketing", ..REQUEST };
        assert_eq!(credential.present(other, 999).unwrap_err().rule, "no-credential");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_quoted() {
        for key in ["", "17==", &new_key()[4..], &new_key().replace('A', "B"), "no Base64"] {
            let error = credential(key).unwrap_err();
            assert_eq!(error.to_string(), "the policy cannot be applied: the key of a credential is not one of P-256");
        }
    }
}
