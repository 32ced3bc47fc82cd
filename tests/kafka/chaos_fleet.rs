//! Several processes on one log, and what is done to them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::chaos_front::Front;
use crate::shop::{Doors, Plan, Product, eventually, free_address, settings, write};

/// The processes there are; those in front are handed connections.
pub(crate) struct Fleet {
    pub(crate) front: Front,
    dir: PathBuf,
    plan: Plan,
    graph: SocketAddr,
    members: Vec<Member>,
}

struct Member {
    number: usize,
    product: Product,
    is_up: bool,
}

impl Fleet {
    pub(crate) fn new(front: Front, dir: &Path, plan: Plan, graph: SocketAddr) -> Self {
        Self { front, dir: dir.to_owned(), plan, graph, members: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The configuration of a member, made if it is not there.
    pub(crate) fn file(&self, number: usize) -> (PathBuf, SocketAddr) {
        let address = free_address();
        let text = settings(&self.plan, address, self.graph);
        (write(&self.dir, &number.to_string(), &text), address)
    }

    /// One process more; it need not be ready.
    pub(crate) fn grow(&mut self) {
        let number = self.members.len();
        let (file, address) = self.file(number);
        let product = Product::start(&file, address);
        self.members.push(Member { number, product, is_up: true });
        self.tell_front();
    }

    /// One process less, in order.
    pub(crate) async fn shrink(&mut self) {
        let Some(last) = self.members.pop() else { return };
        self.tell_front();
        last.product.stop().await;
    }

    /// Ends a process without warning.
    pub(crate) fn kill(&mut self, at: usize) {
        self.members[at].product.kill();
        self.members[at].is_up = false;
        self.tell_front();
    }

    /// Takes the disk from a process that is down.
    pub(crate) fn lose_disk(&self, at: usize) {
        let data = self.dir.join(self.members[at].number.to_string());
        std::fs::remove_dir_all(data).unwrap();
    }

    pub(crate) fn start_again(&mut self, at: usize) {
        self.members[at].product.start_again();
        self.members[at].is_up = true;
        self.tell_front();
    }

    /// Ends a process in order; nobody takes its place meanwhile.
    pub(crate) async fn stop(&mut self, at: usize) {
        self.members[at].is_up = false;
        self.tell_front();
        self.members[at].product.signal("TERM");
        let product = &mut self.members[at].product;
        let ended = eventually("it stops", async || product.ended()).await;
        assert!(ended.success(), "{ended}");
    }

    /// The lanes a process says it has, by stage: of those alone it tells how far behind it is.
    pub(crate) async fn lanes(&self, at: usize) -> BTreeSet<(String, u32)> {
        let (_, page) = Doors::at(self.members[at].product.address).get("/metrics").await;
        let lane = |line: &str| {
            let labels = line.strip_prefix("dmstream_consumer_lag_records{")?;
            let (partition, labels) = labels.strip_prefix("partition=\"")?.split_once('"')?;
            let (stage, _) = labels.strip_prefix(",stage=\"")?.split_once('"')?;
            Some((stage.to_owned(), partition.parse().ok()?))
        };
        page.lines().filter_map(lane).collect()
    }

    /// It stands still: no answer, no heartbeat, and it does not know.
    pub(crate) fn stand_still(&mut self, at: usize) {
        self.members[at].is_up = false;
        self.tell_front();
        self.members[at].product.signal("STOP");
    }

    /// It goes on as if nothing had been.
    pub(crate) fn go_on(&mut self, at: usize) {
        self.members[at].product.signal("CONT");
        self.members[at].is_up = true;
        self.tell_front();
    }

    /// Sessions a process had to rebuild because others had taken its place.
    pub(crate) async fn fenced(&self, at: usize) -> u64 {
        let doors = Doors::at(self.members[at].product.address);
        let mut fenced = 0;
        for stage in ["normalize", "conversation", "route", "send"] {
            let series =
                format!("dmstream_transactions_total{{result=\"fenced\",stage=\"{stage}\"}}");
            fenced += doors.counted(&series).await;
        }
        fenced
    }

    pub(crate) async fn all_ready(&self) {
        for member in &self.members {
            member.product.ready().await;
        }
    }

    fn tell_front(&self) {
        let up = self.members.iter().filter(|member| member.is_up);
        self.front.hand_to(up.map(|member| member.product.address).collect());
    }
}
