//! Edits of network configurations, as text: what is not ours stays as it is, to the byte.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::cni::VERSIONS;
use crate::settings::PLUGIN;

/// A list with the plugin's entry after all others; none where the list has it already.
///
/// # Errors
/// A sentence that tells why the plugin cannot be added to this list.
pub fn with_entry(text: &str, entry: &Value) -> Result<Option<String>, String> {
    let list = List::parse(text)?;
    supported(text)?;
    let ours = list.ours();
    // The first one is called without the result of another.
    if let [position] = ours[..]
        && position > 0
        && parsed(list.plugin(position))? == *entry
    {
        return Ok(None);
    }
    let bare = without_entry(text)?;
    let text = bare.as_deref().unwrap_or(text);
    let list = List::parse(text)?;
    let (Some(head), Some(tail)) = (list.plugins.first(), list.plugins.last()) else {
        return Err("it lists no plugin that makes a pod's network".to_owned());
    };
    let indentation = &text[list.start..head.start];
    Ok(Some(format!("{},{indentation}{entry}{}", &text[..tail.end], &text[tail.end..])))
}

/// A list without the plugin's entry; none where it has none.
///
/// # Errors
/// A sentence, where it is no list.
pub fn without_entry(text: &str) -> Result<Option<String>, String> {
    let list = List::parse(text)?;
    let Some(position) = list.ours().pop() else { return Ok(None) };
    let (before, after) = (position.checked_sub(1), list.plugins.get(position + 1));
    let removed = match (before.map(|each| &list.plugins[each]), after) {
        (Some(before), _) => before.end..list.plugins[position].end,
        (None, Some(after)) => list.plugins[position].start..after.start,
        (None, None) => list.plugins[position].clone(),
    };
    let shorter = [&text[..removed.start], &text[removed.end..]].concat();
    Ok(Some(without_entry(&shorter)?.unwrap_or(shorter)))
}

/// A list of one plugin's configuration and the entry.
///
/// # Errors
/// A sentence that tells why the plugin cannot be added to this configuration.
pub fn wrapped(text: &str, entry: &Value) -> Result<String, String> {
    let single = parsed(text)?;
    supported(text)?;
    if !single["type"].is_string() {
        return Err("it names no plugin in the member type".to_owned());
    }
    let (version, name) = (&single["cniVersion"], &single["name"]);
    Ok(format!("{{\n\"cniVersion\": {version},\n\"name\": {name},\n\"plugins\": [\n{},\n{entry}\n]\n}}\n", text.trim()))
}

/// Another version would have the runtime refuse the whole list, and with it every pod.
fn supported(text: &str) -> Result<(), String> {
    let whole = parsed(text)?;
    let more = whole["cniVersions"].as_array().into_iter().flatten();
    for version in more.chain([&whole["cniVersion"]]) {
        if !version.as_str().is_some_and(|version| VERSIONS.contains(&version)) {
            return Err(format!(
                "its cniVersion is {version}, and plugins are chained in {} alone",
                VERSIONS.join(", ")
            ));
        }
    }
    Ok(())
}

fn parsed(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))
}

/// Where the plugins of a list are in its text.
struct List<'a> {
    text: &'a str,
    /// After the opening bracket.
    start: usize,
    plugins: Vec<Range<usize>>,
}

impl<'a> List<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON object: {error}"))?;
        let listed = members.get("plugins").ok_or("it has no member plugins")?;
        let plugins: Vec<&RawValue> =
            serde_json::from_str(listed.get()).map_err(|error| format!("its member plugins is no list: {error}"))?;
        // Both parts are borrowed from the text, so addresses tell places.
        let place = |part: &str| part.as_ptr().addr() - text.as_ptr().addr();
        let range = |part: &&RawValue| place(part.get())..place(part.get()) + part.get().len();
        Ok(Self { text, start: place(listed.get()) + 1, plugins: plugins.iter().map(range).collect() })
    }

    fn plugin(&self, position: usize) -> &'a str {
        &self.text[self.plugins[position].clone()]
    }

    fn ours(&self) -> Vec<usize> {
        let is_ours = |position: &usize| parsed(self.plugin(*position)).is_ok_and(|each| each["type"] == PLUGIN);
        (0..self.plugins.len()).filter(is_ours).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    const PRETTY: &str = r#"{
  "cniVersion": "0.3.1",
  "name": "k8s-\u0070od",
  "plugins": [
    {"type": "calico",  "ipam": {"type": "calico-ipam"}},
    {
      "type": "portmap", "capabilities": {"portMappings": true}
    }
  ]
}
"#;
    const DENSE: &str = r#"{"plugins":[{"type":"ptp"}],"name":"pods","cniVersion":"1.0.0"}"#;

    fn entry() -> Value {
        Settings::default().entry()
    }

    #[test]
    fn an_entry_comes_last_and_leaves_no_trace_when_it_is_taken_out() {
        for text in [PRETTY, DENSE] {
            let made = with_entry(text, &entry()).unwrap().unwrap();
            let plugins = parsed(&made).unwrap()["plugins"].as_array().unwrap().clone();
            assert_eq!(plugins.last(), Some(&entry()));
            assert_eq!(plugins.len(), parsed(text).unwrap()["plugins"].as_array().unwrap().len() + 1);
            assert_eq!(without_entry(&made), Ok(Some(text.to_owned())));
            assert_eq!(with_entry(&made, &entry()), Ok(None));
        }
        assert_eq!(without_entry(PRETTY), Ok(None));
    }

    #[test]
    fn an_entry_of_another_release_is_replaced() {
        let old = Settings { outbound_port: 1, ..Settings::default() }.entry();
        let made = with_entry(PRETTY, &old).unwrap().unwrap();
        assert_eq!(with_entry(&made, &entry()), with_entry(PRETTY, &entry()));
    }

    #[test]
    fn an_entry_that_came_first_or_twice_is_put_where_it_belongs() {
        let expected = parsed(&with_entry(DENSE, &entry()).unwrap().unwrap()).unwrap();
        for ours in [format!("[{},", entry()), format!("[{0}, {0} ,", entry())] {
            let moved = with_entry(&DENSE.replace('[', &ours), &entry()).unwrap().unwrap();
            assert_eq!(parsed(&moved).unwrap(), expected);
        }
    }

    #[test]
    fn another_plugin_behind_ours_may_stay_there() {
        let made = with_entry(DENSE, &entry()).unwrap().unwrap();
        let longer = made.replace("}]", r#"}, {"type": "other"}]"#);
        assert_eq!(with_entry(&longer, &entry()), Ok(None));
        assert_eq!(without_entry(&longer).unwrap().unwrap(), DENSE.replace("}]", r#"}, {"type": "other"}]"#));
    }

    #[test]
    fn what_a_runtime_would_refuse_with_us_in_it_is_left_alone() {
        for (text, why) in [
            (DENSE.replace("1.0.0", "0.2.0"), "0.2.0"),
            (DENSE.replace("1.0.0", "9.0.0"), "9.0.0"),
            (DENSE.replace("\"name\"", "\"cniVersions\":[\"1.0.0\",\"9.1.0\"],\"name\""), "9.1.0"),
            (r#"{"plugins":[],"cniVersion":"1.0.0"}"#.to_owned(), "no plugin"),
            (r#"{"cniVersion":"1.0.0"}"#.to_owned(), "plugins"),
            (DENSE[..20].to_owned(), "no JSON"),
        ] {
            let refused = with_entry(&text, &entry()).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn a_single_configuration_becomes_a_list_that_holds_it() {
        let single = "{\"cniVersion\": \"0.3.1\", \"name\": \"pods\", \"type\": \"bridge\"}\n";
        let made = wrapped(single, &entry()).unwrap();
        assert!(made.contains(single.trim()));
        let list = parsed(&made).unwrap();
        assert_eq!((&list["cniVersion"], &list["name"]), (&Value::from("0.3.1"), &Value::from("pods")));
        assert_eq!(with_entry(&made, &entry()), Ok(None));
        assert!(wrapped(r#"{"cniVersion": "0.3.1"}"#, &entry()).unwrap_err().contains("type"));
    }
}
