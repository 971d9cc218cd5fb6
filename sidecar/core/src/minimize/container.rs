//! The chain of arrays and objects around the place where the filter stands.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::selection::NodeId;
use crate::Refusal;

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is read and not let through.
    Dropped,
    /// It passes whole.
    Passes,
    /// It is a container of which the node's fields pass.
    Filtered(NodeId),
    /// It is a single value that the node wants changed, or kept because it names the data subject.
    Watched(NodeId),
}

/// An array or object that has begun and not ended.
#[derive(Debug)]
pub struct Container {
    pub is_object: bool,
    pub fate: Fate,
    /// Whether anything inside was let through, so that a comma must come first.
    pub has_output: bool,
    /// Declared members that have come, a bit each.
    seen: u64,
    /// Hashes of all other names that pass and have come. In a box, since most containers have none.
    #[allow(clippy::box_collection)]
    seen_names: Option<Box<HashSet<u64>>>,
}

impl Container {
    pub fn new(is_object: bool, fate: Fate) -> Self {
        Self { is_object, fate, has_output: false, seen: 0, seen_names: None }
    }

    /// Notes a name that may pass; `place` is that among the declared members. Fails where it has come before, or where
    /// more than `most` names have to be held to know that.
    #[inline]
    pub fn note(&mut self, name: &[u8], place: u32, hasher: &RandomState, most: usize) -> Result<(), Refusal> {
        if place < u64::BITS {
            let bit = 1 << place;
            if self.seen & bit != 0 {
                return Err(Refusal::DuplicateName);
            }
            self.seen |= bit;
            return Ok(());
        }
        self.note_name(name, hasher, most)
    }

    #[inline(never)]
    fn note_name(&mut self, name: &[u8], hasher: &RandomState, most: usize) -> Result<(), Refusal> {
        let seen = self.seen_names.get_or_insert_default();
        if !seen.insert(hasher.hash_one(name)) {
            return Err(Refusal::DuplicateName);
        }
        if seen.len() > most { Err(Refusal::NameCount) } else { Ok(()) }
    }
}
