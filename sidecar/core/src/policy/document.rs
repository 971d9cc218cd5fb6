//! The policy as the control plane writes it: JSON, of which every member that is not known here is refused.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    pub schema: u32,
    pub port: String,
    pub enforced_by: String,
    pub peer: Peer,
    /// Seconds since 1970.
    pub not_after: u64,
    #[serde(default)]
    pub limits: Limits,
    /// By name, each a serialized `google.protobuf.FileDescriptorSet` in Base64 (RFC 4648, section 4).
    #[serde(default)]
    pub descriptor_sets: BTreeMap<String, String>,
    pub flows: Vec<Flow>,
}

/// What the sidecar knows of the other side of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Peer {
    /// Requests come from the workload itself, which is the source of every flow.
    Own,
    /// Requests come from the source of a flow, by its certificate.
    Certified,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    pub body_bytes: Option<usize>,
    pub depth: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flow {
    pub name: String,
    pub source: String,
    /// Why nothing passes; empty where the flow is open.
    #[serde(default)]
    pub closed: String,
    /// Seconds since 1970 from which on its verdict is too old.
    pub not_after: Option<u64>,
    /// What the source shows a host outside; since schema 2.
    pub credential: Option<Credential>,
    #[serde(default)]
    pub operations: Vec<Operation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credential {
    /// The private key of P-256 that the tokens name: PKCS #8 in Base64 (RFC 4648, section 4).
    pub key: String,
    /// Seconds since 1970.
    pub expires: u64,
    /// By purpose.
    pub tokens: BTreeMap<String, String>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credential").field("expires", &self.expires).finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// `pseudonymize` or `encrypt`.
    pub usage: String,
    pub id: String,
    /// 32 bytes in hexadecimal digits.
    pub secret: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    pub name: String,
    #[serde(default)]
    pub methods: Vec<String>,
    pub path: String,
    pub purposes: Vec<String>,
    pub subject: Option<Subject>,
    #[serde(default)]
    pub stream: bool,
    #[serde(default)]
    pub keys: Vec<Key>,
    pub request: Option<Payload>,
    pub response: Option<Payload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subject {
    #[serde(rename = "in")]
    pub place: String,
    pub name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Payload {
    #[serde(default)]
    pub fields: Vec<Field>,
    #[serde(default)]
    pub headers: Vec<Parameter>,
    #[serde(default)]
    pub query: Vec<Parameter>,
    /// What bodies of protocol buffers are.
    pub message: Option<Message>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    pub descriptor_set: String,
    /// Its full name.
    pub name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    pub pointer: String,
    #[serde(default)]
    pub protect: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    pub name: String,
    #[serde(default)]
    pub protect: String,
}
