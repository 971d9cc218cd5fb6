//! `lawflow-network`: puts the rules of the interception `redirect` into pods' networks, and sees that they are there.
//!
//! A container runtime calls it as a CNI plugin, told by `CNI_COMMAND`. Otherwise its first argument says what it does;
//! without one it tells how it is used.

mod check;
mod cni;
mod conflist;
mod gateways;
mod installation;
mod nftables;
mod node;
mod plan;
mod settings;

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use plan::Pod;
use settings::Settings;

const USAGE: &str = "\
usage: lawflow-network COMMAND [OPTION]

  apply   put the rules into this network namespace; needs the capability NET_ADMIN
            --node-address=IP[,IP]    where the node's probes come from; the default gateways count anyway
            --probe-ports=PORT[,PORT] where they may go to
            --udp-ports=PORT[,PORT]   where UDP may go to, beside port 53
  check   see whether this network namespace has the rules; needs no right, and a user that is not the sidecar's
  node    keep the plugin installed on this node until SIGTERM, which leaves it installed; needs the folders to write to
            --remove                  keep it off this node instead
  ready   see whether `node` with the same options has done its work
Options of node and ready:
            --cni-bin-dir=FOLDER      where the runtime finds plugins (/opt/cni/bin)
            --cni-conf-dir=FOLDER     where the runtime finds network configurations (/etc/cni/net.d)

Options of all: --sidecar-user=UID --outbound-port=PORT --peer-port=PORT --health-port=PORT
Exit codes: 0 done, 1 not done or not as it should be, 2 wrong use.";
const TERMINATION_LOG: &str = "/dev/termination-log";

fn main() -> ExitCode {
    match std::env::var("CNI_COMMAND") {
        Ok(command) => plugin(&command),
        Err(_) => match Arguments::parse() {
            Ok(arguments) => command(&arguments),
            Err(message) => {
                eprintln!("lawflow-network: {message}\n\n{USAGE}");
                ExitCode::from(2)
            }
        },
    }
}

fn plugin(command: &str) -> ExitCode {
    let mut configuration = String::new();
    // What could not be read is no JSON, either, and told as such.
    let _ = std::io::stdin().read_to_string(&mut configuration);
    let namespace = std::env::var("CNI_NETNS").unwrap_or_default();
    match cni::run(&cni::Call { command, namespace: &namespace, configuration: &configuration }) {
        Ok(answer) => {
            print!("{answer}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            print!("{}", failure.document(&cni::version_of(&configuration)));
            ExitCode::FAILURE
        }
    }
}

fn command(arguments: &Arguments) -> ExitCode {
    let done = match arguments.command.as_str() {
        "apply" => apply(arguments),
        "check" => check::check(&arguments.settings),
        "node" => arguments.node().run(),
        "ready" => arguments.node().ready(),
        _ => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("lawflow-network {}: {message}", arguments.command);
            // Where the kubelet takes it from, for the pod's status; elsewhere there is no such file.
            if fs::metadata(TERMINATION_LOG).is_ok_and(|found| found.is_file()) {
                let _ = fs::write(TERMINATION_LOG, &message);
            }
            ExitCode::FAILURE
        }
    }
}

fn apply(arguments: &Arguments) -> Result<(), String> {
    let table = |name| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    let mut pod = arguments.pod.clone();
    pod.node.extend(gateways::gateways(&table("route"), &table("ipv6_route")));
    let plan = plan::plan(&arguments.settings, &pod);
    nftables::apply(&plan).map_err(|error| {
        format!(
            "the kernel refused the rules: {error}. The container needs the capability NET_ADMIN, the kernel nf_tables"
        )
    })
}

#[derive(Default)]
struct Arguments {
    command: String,
    settings: Settings,
    pod: Pod,
    programs: Option<PathBuf>,
    configurations: Option<PathBuf>,
    remove: bool,
}

impl Arguments {
    fn parse() -> Result<Self, String> {
        let mut parser = lexopt::Parser::from_env();
        let mut arguments = Self::default();
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            match argument {
                lexopt::Arg::Value(value) if arguments.command.is_empty() => {
                    arguments.command = value.to_string_lossy().into_owned();
                }
                lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Ok(Self::default()),
                lexopt::Arg::Long("remove") => arguments.remove = true,
                lexopt::Arg::Long(name) => {
                    let name = name.to_owned();
                    let value = parser.value().map_err(|error| error.to_string())?;
                    arguments.take(&name, &value.to_string_lossy())?;
                }
                other => return Err(other.unexpected().to_string()),
            }
        }
        match arguments.command.as_str() {
            "apply" | "check" | "node" | "ready" => Ok(arguments),
            "" => Err("a command is missing".to_owned()),
            other => Err(format!("there is no command {other:?}")),
        }
    }

    fn node(&self) -> node::Node {
        node::Node {
            programs: self.programs.clone().unwrap_or_else(|| "/opt/cni/bin".into()),
            configurations: self.configurations.clone().unwrap_or_else(|| "/etc/cni/net.d".into()),
            entry: self.settings.entry(),
            remove: self.remove,
        }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "node-address" => {
                for address in value.split(',').map(str::trim).filter(|each| !each.is_empty()) {
                    let parsed = address.parse().map_err(|error| format!("node-address {address:?}: {error}"))?;
                    self.pod.node.insert(parsed);
                }
            }
            "cni-bin-dir" => self.programs = Some(value.into()),
            "cni-conf-dir" => self.configurations = Some(value.into()),
            "probe-ports" => self.pod.probe_ports.extend(settings::ports(value)?),
            "udp-ports" => self.pod.udp_ports.extend(settings::ports(value)?),
            _ if self.settings.take(name, value)? => {}
            _ => return Err(format!("there is no option --{name}")),
        }
        Ok(())
    }
}
