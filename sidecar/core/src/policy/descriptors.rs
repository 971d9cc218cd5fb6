//! The messages that the operations of a policy speak of.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{PolicyError, document};
use crate::{DescriptorError, DescriptorSet, MessageSelection, Treatment};

/// Descriptor sets by their names.
#[derive(Debug)]
pub struct Descriptors<'w> {
    sets: BTreeMap<&'w str, DescriptorSet>,
}

impl<'w> Descriptors<'w> {
    pub fn new(written: &'w BTreeMap<String, String>) -> Result<Self, PolicyError> {
        let mut sets = BTreeMap::new();
        for (name, text) in written {
            let bytes = STANDARD
                .decode(text)
                .map_err(|_| PolicyError::new(format!("the descriptor set {name:?} is not written in Base64")))?;
            sets.insert(name.as_str(), DescriptorSet::decode(&bytes).map_err(|error| wrong(name, &error))?);
        }
        Ok(Self { sets })
    }

    /// The fields that pass of a message.
    pub fn selection<'p>(
        &self,
        message: &document::Message,
        fields: impl IntoIterator<Item = (&'p str, Treatment)>,
    ) -> Result<MessageSelection, PolicyError> {
        let document::Message { descriptor_set, name } = message;
        let set = self.sets.get(descriptor_set.as_str());
        let set = set.ok_or_else(|| PolicyError::new(format!("there is no descriptor set {descriptor_set:?}")))?;
        MessageSelection::with(set, name, fields).map_err(|error| wrong(descriptor_set, &error))
    }
}

fn wrong(set: &str, error: &DescriptorError) -> PolicyError {
    PolicyError::new(format!("of the descriptor set {set:?}: {error}"))
}
