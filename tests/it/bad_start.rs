//! How `dmstream run` refuses to start: at once, without a panic, and with words that say what to do.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use dmstream::simulator::GraphFaults;

use crate::shop::{Plan, Shop, command, eventually, free_address, settings, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_cannot_be_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = free_address();
    let plan = Plan { broker: String::new(), faults: GraphFaults::NONE, company: "" };
    let good = settings(&plan, here, here);
    let check = async |name: &str, text: &str, says: &str| {
        refused(&write(dir.path(), name, text), says).await;
    };
    let without = |key: &str| -> String {
        good.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect()
    };
    check("no-secret", &without("app_secrets"), "DMSTREAM_APP_SECRETS").await;
    check("no-verify-token", &without("verify_token"), "DMSTREAM_VERIFY_TOKEN").await;
    check("no-admin-token", &without("admin_token"), "DMSTREAM_ADMIN_TOKEN").await;
    let blank = good.replace(crate::shop::secrets::VERIFY, "  ");
    check("blank-verify-token", &blank, "DMSTREAM_VERIFY_TOKEN").await;
    check("unknown-name", &format!("listn = \"x\"\n{good}"), "listn").await;
    check("no-number", &format!("workers = \"two\"\n{good}"), "workers").await;
    check("no-toml", "listen = ", "no-toml.toml").await;
    let busy = good.replace(&here.to_string(), &taken.local_addr().unwrap().to_string());
    check("address-in-use", &busy, "DMSTREAM_LISTEN").await;
    refused(&dir.path().join("not-there.toml"), "--config").await;

    // A file stands where the directory would be: not even an administrator can write there.
    std::fs::write(dir.path().join("a-file"), "").unwrap();
    check("a-file/beneath", &good, "a-file/beneath").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_another_process_has_open_is_left_alone() {
    let plan = Plan { broker: String::new(), faults: GraphFaults::NONE, company: "" };
    let shop = Shop::open(plan).await;
    let text = std::fs::read_to_string(&shop.file).unwrap();
    let other = text.replace(&shop.product.address.to_string(), &free_address().to_string());
    let file = shop.file.with_file_name("other.toml");
    std::fs::write(&file, other).unwrap();
    refused(&file, "another process").await;
    shop.product.ready().await;
    shop.product.stop().await;
}

/// It ends by itself, badly, and says so in one line without a panic.
async fn refused(file: &Path, says: &str) {
    let mut run = command(&["run", "--config"]);
    let mut child = run.arg(file).stderr(Stdio::piped()).spawn().unwrap();
    let what = format!("{} is refused", file.display());
    let ended = eventually(&what, async || child.try_wait().unwrap()).await;
    let said = child.wait_with_output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said);
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("dmstream: ") && said.contains(says), "{}: {said}", file.display());
    assert!(!said.contains("panicked"), "{said}");
}
