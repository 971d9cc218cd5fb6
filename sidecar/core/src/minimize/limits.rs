//! What a body may cost, so that nobody can make a sidecar hold or walk more than is meant for it.

/// What a document may cost. Beyond it the body is refused.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Containers within containers. Parsers that recurse behind the filter have a stack to lose.
    pub depth: usize,
    /// Bytes of one name: names are held until it is known whether they pass.
    pub name_bytes: usize,
    /// Names of one map whose names are not declared: they are held to find one that stands twice.
    pub names: usize,
    /// Bytes of one value that is changed on its way, or names the data subject: such values are held.
    pub value_bytes: usize,
    /// Bytes of one message of protocol buffers: such messages are held until they are complete.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, name_bytes: 4096, names: 65_536, value_bytes: 65_536, message_bytes: 1 << 20 }
    }
}
