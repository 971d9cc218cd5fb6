//! The chained CNI plugin (<https://www.cni.dev/docs/spec/>, versions 0.3.0 to 1.1.0).
//!
//! It acts on pods that ask for the rules, and hands on what the plugins before it made of every pod.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsFd;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::nftables;
use crate::plan::{Plan, Pod, plan};
use crate::settings::{ANNOTATIONS, INTERCEPTION, PROBE_PORTS, REDIRECT, Settings, UDP_PORTS, ports};

/// Versions of the specification whose configurations can be chained; the plugin does the same in all of them.
pub const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/// What a runtime is told of a failure.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of the specification's codes, or one of ours from 100 on.
    pub code: u32,
    /// What is wrong.
    pub message: String,
    /// What the system said of it.
    pub details: String,
}

impl Failure {
    const VERSION: u32 = 1;
    const ENVIRONMENT: u32 = 4;
    const DECODING: u32 = 6;
    const CONFIGURATION: u32 = 7;
    const ANNOTATION: u32 = 100;
    const RULES: u32 = 101;
    const ABSENT: u32 = 102;

    fn new(code: u32, message: impl Into<String>, details: impl std::fmt::Display) -> Self {
        Self { code, message: message.into(), details: format!("{details}") }
    }

    /// As the specification has it, for standard output.
    #[must_use]
    pub fn document(&self, version: &str) -> String {
        json!({"cniVersion": version, "code": self.code, "msg": self.message, "details": self.details}).to_string()
    }
}

/// A call as the runtime makes it.
pub struct Call<'a> {
    /// `CNI_COMMAND`.
    pub command: &'a str,
    /// `CNI_NETNS`; empty where there is none any more.
    pub namespace: &'a str,
    /// What came by standard input.
    pub configuration: &'a str,
}

struct Configuration<'a> {
    settings: Settings,
    annotations: Value,
    previous: Option<&'a RawValue>,
    gateways: BTreeSet<IpAddr>,
}

/// The version that a configuration names, for answers; the newest where it names none.
#[must_use]
pub fn version_of(configuration: &str) -> String {
    let parsed: Value = serde_json::from_str(configuration).unwrap_or_default();
    parsed["cniVersion"].as_str().unwrap_or("1.1.0").to_owned()
}

/// Does what the runtime asks for, and returns what to print.
///
/// # Errors
/// What to print instead, with exit code 1.
pub fn run(call: &Call) -> Result<String, Failure> {
    match call.command {
        "VERSION" => {
            let version = version_of(call.configuration);
            Ok(json!({"cniVersion": version, "supportedVersions": VERSIONS}).to_string())
        }
        "ADD" => add(call),
        "CHECK" => check(call).map(|()| String::new()),
        "DEL" => delete(call).map(|()| String::new()),
        // Rules end with their namespace, so nothing is left to collect; and nothing but the kernel is needed.
        "GC" | "STATUS" => read(call.configuration).map(|_| String::new()),
        other => Err(Failure::new(Failure::ENVIRONMENT, format!("CNI_COMMAND {other:?} is none of CNI's"), "")),
    }
}

fn add(call: &Call) -> Result<String, Failure> {
    let configuration = read(call.configuration)?;
    let Some(previous) = configuration.previous else {
        let message = "prevResult is missing: this plugin must be chained after the one that makes the pod's network";
        return Err(Failure::new(Failure::CONFIGURATION, message, ""));
    };
    if let Some(plan) = planned(&configuration)? {
        enter(call.namespace)?;
        nftables::apply(&plan).map_err(|error| {
            Failure::new(
                Failure::RULES,
                "the kernel refused the rules that send the pod's traffic to its sidecar",
                error,
            )
        })?;
    }
    Ok(previous.get().to_owned())
}

fn check(call: &Call) -> Result<(), Failure> {
    let Some(plan) = planned(&read(call.configuration)?)? else { return Ok(()) };
    enter(call.namespace)?;
    let unreadable = |error| Failure::new(Failure::RULES, "the kernel does not show the pod's rules", error);
    if nftables::present(&plan).map_err(unreadable)? {
        return Ok(());
    }
    Err(Failure::new(Failure::ABSENT, "the pod's rules are missing or are not the ones that were put", ""))
}

/// A pod must be able to end: rules that cannot be taken away end with their namespace, and may have done so.
fn delete(call: &Call) -> Result<(), Failure> {
    let configuration = read(call.configuration)?;
    if asks_for_rules(&configuration.annotations) && enter(call.namespace).is_ok() {
        let _ = nftables::remove();
    }
    Ok(())
}

/// None where the pod does not ask for rules, or the runtime does not tell its annotations: such a pod goes on, and
/// `check` within it finds that it has no rules.
fn planned(configuration: &Configuration) -> Result<Option<Plan>, Failure> {
    if !asks_for_rules(&configuration.annotations) {
        return Ok(None);
    }
    let listed = |annotation| {
        ports(configuration.annotations[annotation].as_str().unwrap_or_default()).map_err(|error| {
            Failure::new(Failure::ANNOTATION, format!("the annotation {annotation} is no list of ports"), error)
        })
    };
    let (probe_ports, udp_ports) = (listed(PROBE_PORTS)?, listed(UDP_PORTS)?);
    let mut node = nftables::own_addresses()
        .map_err(|error| Failure::new(Failure::RULES, "the kernel does not tell the node's addresses", error))?;
    node.extend(&configuration.gateways);
    Ok(Some(plan(&configuration.settings, &Pod { node, probe_ports, udp_ports })))
}

fn asks_for_rules(annotations: &Value) -> bool {
    annotations[INTERCEPTION] == REDIRECT
}

fn read(text: &str) -> Result<Configuration<'_>, Failure> {
    let unreadable = |error| Failure::new(Failure::DECODING, "the network configuration is no JSON object", error);
    let members: std::collections::BTreeMap<&str, &RawValue> = serde_json::from_str(text).map_err(unreadable)?;
    let whole: Value = serde_json::from_str(text).map_err(unreadable)?;
    let version = whole["cniVersion"].as_str().unwrap_or_default();
    if !VERSIONS.contains(&version) {
        let message = format!("cniVersion {version:?} is none of {}", VERSIONS.join(", "));
        return Err(Failure::new(Failure::VERSION, message, ""));
    }
    let settings = Settings::of_entry(&whole)
        .map_err(|error| Failure::new(Failure::CONFIGURATION, "the plugin's entry cannot be used", error))?;
    let ips = whole["prevResult"]["ips"].as_array().into_iter().flatten();
    Ok(Configuration {
        settings,
        annotations: whole["runtimeConfig"][ANNOTATIONS].clone(),
        previous: members.get("prevResult").copied(),
        gateways: ips.filter_map(|ip| ip["gateway"].as_str()?.parse().ok()).collect(),
    })
}

fn enter(namespace: &str) -> Result<(), Failure> {
    if namespace.is_empty() {
        return Err(Failure::new(Failure::ENVIRONMENT, "CNI_NETNS is missing", ""));
    }
    let unreachable = |error| {
        Failure::new(Failure::RULES, format!("the pod's network namespace {namespace} cannot be entered"), error)
    };
    let file = File::open(namespace).map_err(unreachable)?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|error| unreachable(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &str = r#"{"cniVersion": "1.0.0",  "ips": [{"address": "10.0.0.5/24", "gateway": "10.0.0.1"}]}"#;

    fn call<'a>(command: &'a str, configuration: &'a str) -> Call<'a> {
        Call { command, namespace: "/nowhere", configuration }
    }

    fn configuration(more: &str) -> String {
        format!(r#"{{"cniVersion": "1.0.0", "name": "pods", "type": "lawflow-network", "prevResult": {RESULT}{more}}}"#)
    }

    fn annotated(annotations: &str) -> String {
        configuration(&format!(r#", "runtimeConfig": {{"io.kubernetes.cri.pod-annotations": {annotations}}}"#))
    }

    #[test]
    fn a_pod_that_does_not_ask_gets_the_result_before_to_the_byte() {
        for text in [
            configuration(""),
            annotated("null"),
            annotated("{}"),
            annotated(r#"{"lawflow.dev/interception": "explicit", "lawflow.dev/probe-ports": "x"}"#),
        ] {
            assert_eq!(run(&call("ADD", &text)).unwrap(), RESULT);
            assert_eq!(run(&call("CHECK", &text)).unwrap(), "");
            assert_eq!(run(&call("DEL", &text)).unwrap(), "");
        }
    }

    #[test]
    fn a_pod_that_asks_and_cannot_be_served_does_not_start() {
        let asking = annotated(r#"{"lawflow.dev/interception": "redirect"}"#);
        let failure = run(&call("ADD", &asking)).unwrap_err();
        assert_eq!(failure.code, Failure::RULES);
        assert!(failure.message.contains("/nowhere"), "{}", failure.message);
        let malformed = annotated(r#"{"lawflow.dev/interception": "redirect", "lawflow.dev/probe-ports": "http"}"#);
        assert_eq!(run(&call("ADD", &malformed)).unwrap_err().code, Failure::ANNOTATION);
    }

    #[test]
    fn removing_a_pod_whose_namespace_is_gone_is_no_failure() {
        let asking = annotated(r#"{"lawflow.dev/interception": "redirect"}"#);
        for namespace in ["/nowhere", "", "/dev/null"] {
            assert_eq!(run(&Call { namespace, ..call("DEL", &asking) }), Ok(String::new()));
        }
    }

    #[test]
    fn failures_are_told_as_the_specification_has_it() {
        let failure = run(&call("ADD", r#"{"cniVersion": "1.0.0", "outboundPort": 0.5}"#)).unwrap_err();
        assert_eq!(failure.code, Failure::CONFIGURATION);
        let document: Value = serde_json::from_str(&failure.document("1.0.0")).unwrap();
        assert_eq!(document["cniVersion"], "1.0.0");
        assert_eq!(document["code"], 7);
        assert!(document["msg"].is_string() && document["details"].as_str().unwrap().contains("outboundPort"));
        for (command, text, code) in [
            ("ADD", "{", Failure::DECODING),
            ("ADD", r#"{"cniVersion": "0.2.0"}"#, Failure::VERSION),
            ("ADD", r#"{"cniVersion": "1.1.0"}"#, Failure::CONFIGURATION),
            ("PLAY", "{}", Failure::ENVIRONMENT),
        ] {
            assert_eq!(run(&call(command, text)).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn status_and_collection_have_nothing_to_do() {
        for command in ["STATUS", "GC"] {
            assert_eq!(run(&call(command, r#"{"cniVersion": "1.1.0"}"#)).unwrap(), "");
        }
    }

    #[test]
    fn the_version_is_answered_in_the_one_that_was_asked_in() {
        let answer: Value =
            serde_json::from_str(&run(&call("VERSION", r#"{"cniVersion": "0.4.0"}"#)).unwrap()).unwrap();
        assert_eq!(answer["cniVersion"], "0.4.0");
        assert_eq!(answer["supportedVersions"].as_array().unwrap().len(), VERSIONS.len());
    }

    #[test]
    fn gateways_before_count_among_the_nodes_addresses() {
        let text = configuration("");
        assert_eq!(read(&text).unwrap().gateways, BTreeSet::from(["10.0.0.1".parse().unwrap()]));
    }
}
