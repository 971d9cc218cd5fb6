//! What has to be done to a node's folder of network configurations, told from the files in it.
//!
//! Runtimes use the first file by name. A single configuration cannot hold a second plugin: `X` becomes `X.conflist`, a
//! list that holds it, and is kept as `X.lawflow`, which no runtime reads.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::conflist::{with_entry, without_entry, wrapped};
use crate::settings::PLUGIN;

/// Files by their names.
pub type Files = BTreeMap<String, String>;

const LIST: &str = ".conflist";
const SINGLE: [&str; 2] = [".conf", ".json"];
/// Of a single configuration that a list of ours stands for.
pub const KEPT: &str = ".lawflow";

/// A step; each leaves the folder in a state that a runtime can use.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// Put a file with this content in place, at once.
    Write(String, String),
    /// Move a file, over any that is there.
    Move(String, String),
    /// Delete a file.
    Delete(String),
}

/// Whether a runtime, or this program, reads a file of this name.
#[must_use]
pub fn concerns(name: &str) -> bool {
    is_configuration(name) || name.ends_with(KEPT)
}

/// The steps to have the plugin called for each pod; none where it is.
///
/// # Errors
/// A sentence, where there is no configuration yet or the first one does not take the plugin.
pub fn install(files: &Files, entry: &Value) -> Result<Vec<Change>, String> {
    let first = files.iter().find(|(name, _)| is_configuration(name));
    let (name, text) = first.ok_or("there is no network configuration yet")?;
    let refused = |reason| format!("{name} does not take the plugin: {reason}");
    if name.ends_with(LIST) {
        let made = with_entry(text, entry).map_err(refused)?;
        return Ok(made.map(|made| Change::Write(name.clone(), made)).into_iter().collect());
    }
    let list = wrapped(text, entry).map_err(refused)?;
    let kept = format!("{name}{KEPT}");
    Ok(vec![Change::Write(format!("{name}{LIST}"), list), Change::Move(name.clone(), kept)])
}

/// The steps to have it as if the plugin had never been there; none where it is.
///
/// # Errors
/// A sentence, where a file that speaks of the plugin cannot be read.
pub fn remove(files: &Files) -> Result<Vec<Change>, String> {
    let mut changes = Vec::new();
    for (name, text) in files {
        if let Some(single) = name.strip_suffix(KEPT) {
            let written_anew = files.contains_key(single);
            let back = || Change::Move(name.clone(), single.to_owned());
            changes.push(if written_anew { Change::Delete(name.clone()) } else { back() });
            changes.push(Change::Delete(format!("{single}{LIST}")));
        } else if name.ends_with(LIST) && !is_substitute(name, files) && text.contains(PLUGIN) {
            let bare = without_entry(text).map_err(|reason| format!("{name} cannot be cleaned: {reason}"))?;
            changes.extend(bare.map(|bare| Change::Write(name.clone(), bare)));
        }
    }
    Ok(changes)
}

fn is_configuration(name: &str) -> bool {
    name.ends_with(LIST) || SINGLE.iter().any(|ending| name.ends_with(ending))
}

fn is_substitute(name: &str, files: &Files) -> bool {
    name.strip_suffix(LIST).is_some_and(|single| files.contains_key(&format!("{single}{KEPT}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    const LISTED: &str = r#"{"cniVersion": "1.0.0", "name": "a", "plugins": [{"type": "ptp"}]}"#;
    const ALONE: &str = r#"{"cniVersion": "0.3.1", "name": "b", "type": "bridge"}"#;

    fn folder(files: &[(&str, &str)]) -> Files {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn carry_out(files: &mut Files, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Write(name, text) => drop(files.insert(name, text)),
                Change::Move(from, to) => {
                    let text = files.remove(&from).expect("a file to move");
                    files.insert(to, text);
                }
                Change::Delete(name) => drop(files.remove(&name)),
            }
            assert!(files.keys().any(|name| is_configuration(name)), "the runtime has nothing to use");
        }
    }

    fn installed(files: &[(&str, &str)]) -> Files {
        let mut files = folder(files);
        let changes = install(&files, &Settings::default().entry()).unwrap();
        carry_out(&mut files, changes);
        assert_eq!(install(&files, &Settings::default().entry()), Ok(vec![]), "a second time changes nothing");
        files
    }

    #[test]
    fn the_first_file_gets_the_plugin_and_all_are_as_before_when_it_goes() {
        for before in [
            &[("10-a.conflist", LISTED), ("20-b.conflist", LISTED)][..],
            &[("10-b.conf", ALONE), ("20-a.conflist", LISTED)],
            &[("10-b.conf", ALONE), ("10-b.conflist", LISTED)],
            &[("10-b.json", ALONE), ("9.txt", "?")],
        ] {
            let mut files = installed(before);
            let first = files.iter().find(|(name, _)| is_configuration(name)).unwrap();
            assert!(first.1.contains(PLUGIN), "{first:?}");
            assert_eq!(files.values().filter(|text| text.contains(PLUGIN)).count(), 1);
            let changes = remove(&files).unwrap();
            carry_out(&mut files, changes);
            assert_eq!(files, folder(before));
            assert_eq!(remove(&files), Ok(vec![]));
        }
    }

    #[test]
    fn a_file_that_another_program_wrote_anew_gets_it_again() {
        let mut files = installed(&[("10-b.conf", ALONE)]);
        let newer = ALONE.replace("bridge", "macvlan");
        files.insert("10-b.conf".to_owned(), newer.clone());
        let changes = install(&files, &Settings::default().entry()).unwrap();
        carry_out(&mut files, changes);
        assert_eq!(files["10-b.conf.lawflow"], newer);
        files.insert("10-b.conf".to_owned(), ALONE.to_owned());
        let changes = remove(&files).unwrap();
        carry_out(&mut files, changes);
        assert_eq!(files, folder(&[("10-b.conf", ALONE)]));
    }

    #[test]
    fn a_file_that_comes_to_be_the_first_gets_it_and_all_lose_it() {
        let mut files = installed(&[("20-a.conflist", LISTED)]);
        files.insert("10-a.conflist".to_owned(), LISTED.to_owned());
        let changes = install(&files, &Settings::default().entry()).unwrap();
        carry_out(&mut files, changes);
        assert!(files["10-a.conflist"].contains(PLUGIN));
        let changes = remove(&files).unwrap();
        carry_out(&mut files, changes);
        assert_eq!(files, folder(&[("10-a.conflist", LISTED), ("20-a.conflist", LISTED)]));
    }

    #[test]
    fn what_cannot_be_done_is_told_with_the_files_name() {
        let entry = Settings::default().entry();
        assert!(install(&Files::new(), &entry).unwrap_err().contains("no network configuration yet"));
        assert!(install(&folder(&[("1.conflist", "{")]), &entry).unwrap_err().starts_with("1.conflist"));
        assert!(remove(&folder(&[("1.conflist", "{lawflow-network")])).unwrap_err().starts_with("1.conflist"));
        assert_eq!(remove(&folder(&[("1.conflist", "{")])), Ok(vec![]));
    }
}
