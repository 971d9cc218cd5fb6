//! What the rules are made for: the sidecar's user and ports, as `operator/lawflow/model/sidecar.py` names them.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

/// The name of the plugin: its file in the node's CNI folder, and its `type` in a network configuration.
pub const PLUGIN: &str = "lawflow-network";
/// The annotation by which a pod asks for the rules.
pub const INTERCEPTION: &str = "lawflow.dev/interception";
/// The value of that annotation for which rules are put.
pub const REDIRECT: &str = "redirect";
/// The annotation with the ports that the node's probes go to, separated by commas.
pub const PROBE_PORTS: &str = "lawflow.dev/probe-ports";
/// The annotation with the ports that the pod may reach by UDP, separated by commas.
pub const UDP_PORTS: &str = "lawflow.dev/udp-ports";
/// The CNI capability by which container runtimes hand a pod's annotations to plugins.
pub const ANNOTATIONS: &str = "io.kubernetes.cri.pod-annotations";

/// The sidecar's user and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// User id of the sidecar, whose own connections leave as they are.
    pub sidecar_user: u32,
    /// Where outbound connections are sent to, on loopback.
    pub outbound_port: u16,
    /// Where peers connect with mutual TLS.
    pub peer_port: u16,
    /// Where the kubelet asks for the sidecar's health.
    pub health_port: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sidecar_user: 64536, outbound_port: 15001, peer_port: 15443, health_port: 15021 }
    }
}

impl Settings {
    /// Reads the settings of a plugin's entry; what it does not name is as by default.
    ///
    /// # Errors
    /// A sentence that names the member, where one is no number or out of range.
    pub fn of_entry(entry: &Value) -> Result<Self, String> {
        let default = Self::default();
        Ok(Self {
            sidecar_user: number(entry, "sidecarUser", default.sidecar_user)?,
            outbound_port: number(entry, "outboundPort", default.outbound_port)?,
            peer_port: number(entry, "peerPort", default.peer_port)?,
            health_port: number(entry, "healthPort", default.health_port)?,
        })
    }

    /// The plugin's entry in a network configuration.
    #[must_use]
    pub fn entry(&self) -> Value {
        json!({
            "type": PLUGIN,
            "capabilities": {ANNOTATIONS: true},
            "sidecarUser": self.sidecar_user,
            "outboundPort": self.outbound_port,
            "peerPort": self.peer_port,
            "healthPort": self.health_port,
        })
    }

    /// Takes one `--name value` of the command line; false where the name is none of the settings'.
    ///
    /// # Errors
    /// A sentence that names the option, where the value is no number or out of range.
    pub fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            "sidecar-user" => self.sidecar_user = parsed(name, value)?,
            "outbound-port" => self.outbound_port = parsed(name, value)?,
            "peer-port" => self.peer_port = parsed(name, value)?,
            "health-port" => self.health_port = parsed(name, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The ports of a list like `8080,9000`.
///
/// # Errors
/// A sentence that quotes what is no port.
pub fn ports(list: &str) -> Result<BTreeSet<u16>, String> {
    list.split(',').map(str::trim).filter(|each| !each.is_empty()).map(|each| parsed("port", each)).collect()
}

fn parsed<N: std::str::FromStr<Err: fmt::Display>>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|error| format!("{name} {value:?}: {error}"))
}

fn number<N: TryFrom<u64>>(entry: &Value, name: &str, default: N) -> Result<N, String> {
    let Some(found) = entry.get(name) else { return Ok(default) };
    let fitting = found.as_u64().and_then(|number| N::try_from(number).ok());
    fitting.ok_or_else(|| format!("{name} is {found}, and must be a whole number within its range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_gives_the_settings_that_it_was_made_of() {
        let settings = Settings { sidecar_user: 1, outbound_port: 2, peer_port: 3, health_port: 4 };
        assert_eq!(Settings::of_entry(&settings.entry()), Ok(settings));
        assert_eq!(Settings::of_entry(&json!({"type": PLUGIN})), Ok(Settings::default()));
    }

    #[test]
    fn a_port_out_of_range_is_named() {
        let refused = Settings::of_entry(&json!({"outboundPort": 70000})).unwrap_err();
        assert!(refused.contains("outboundPort is 70000"), "{refused}");
        assert!(Settings::default().take("peer-port", "x").unwrap_err().contains("peer-port \"x\""));
        assert_eq!(Settings::default().take("other", "1"), Ok(false));
    }

    #[test]
    fn a_list_of_ports_may_have_spaces_and_be_empty() {
        assert_eq!(ports(" 9000, 8080,8080 "), Ok(BTreeSet::from([8080, 9000])));
        assert_eq!(ports(""), Ok(BTreeSet::new()));
        assert!(ports("8080,http").unwrap_err().contains("\"http\""));
    }
}
