//! Opens a shop: directory, addresses, configuration, Instagram, the product's first process.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use dmstream::simulator::GraphFaults;
use tempfile::TempDir;

use super::{ACCOUNT, Agent, Doors, Instagram, Product, command, secrets};

/// The agents who have a token.
const AGENTS: [&str; 3] = ["ana", "ben", "cem"];

/// What of a shop differs from story to story.
pub(crate) struct Plan {
    /// Lines of the configuration that say where the log is; none: embedded.
    pub(crate) broker: String,
    /// How the Graph API behaves.
    pub(crate) faults: GraphFaults,
    /// Lines of the company's settings.
    pub(crate) company: &'static str,
}

pub(crate) struct Shop {
    pub(crate) instagram: Instagram,
    pub(crate) product: Product,
    pub(crate) file: PathBuf,
    /// Everything of the shop lies here, and goes with it.
    _dir: TempDir,
}

impl Shop {
    /// Opens one whose product is ready.
    pub(crate) async fn open(plan: Plan) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = free_address();
        let url = format!("http://{address}/webhooks/instagram");
        let instagram = Instagram::open(&url, 20, plan.faults).await;
        let file = write(dir.path(), "0", &settings(&plan, address, instagram.graph_address));
        if !plan.broker.is_empty() {
            let mut apply = command(&["topics", "apply", "--config"]);
            let applied = apply.arg(&file).output().unwrap();
            let said = String::from_utf8_lossy(&applied.stderr);
            assert!(applied.status.success(), "{said}");
        }
        let product = Product::start(&file, address);
        product.ready().await;
        Self { instagram, product, file, _dir: dir }
    }

    pub(crate) fn doors(&self) -> Doors {
        Doors::at(self.product.address)
    }

    pub(crate) async fn agent(&self, name: &'static str) -> Agent {
        Agent::at_work(name, self.doors()).await
    }
}

/// A configuration like anybody's, but for the instance and its directory.
pub(crate) fn settings(plan: &Plan, listen: SocketAddr, graph: SocketAddr) -> String {
    let Plan { broker, company, .. } = plan;
    let (app, verify, admin) = (secrets::APP, secrets::VERIFY, secrets::ADMIN);
    let mut text = format!(
        "listen = \"{listen}\"\nlog = \"warn\"\ngraph_url = \"http://{graph}/v25.0\"\npartitions = 4\n{broker}\n\
         app_secrets = [\"an-older-secret\", \"{app}\"]\nverify_token = \"{verify}\"\nadmin_token = \"{admin}\"\n\n\
         [accounts.{ACCOUNT}]\ntoken = \"{}\"\nsettings = {{ unknown_after_ms = 10000 }}\n\n\
         [companies.default]\nrouting_delay_ms = 0\n{company}\n",
        secrets::GRAPH,
    );
    for agent in AGENTS {
        text.push_str(&format!("\n[agents.{agent}]\ntoken = \"token-of-{agent}\"\n"));
    }
    text
}

/// Writes the configuration of one instance.
pub(crate) fn write(dir: &Path, instance: &str, text: &str) -> PathBuf {
    let file = dir.join(format!("{}.toml", instance.replace('/', "-")));
    let data = dir.join(instance);
    std::fs::write(&file, format!("instance = \"{instance}\"\ndata_dir = {data:?}\n{text}"))
        .unwrap();
    file
}

/// An address nobody listens on, below the ports that the system gives to outgoing connections: it must survive restarts.
pub(crate) fn free_address() -> SocketAddr {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 8_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + begin.wrapping_add(step.wrapping_mul(7)) % COUNT;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
