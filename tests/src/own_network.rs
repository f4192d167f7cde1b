//! A network that only this test is in.
//!
//! The API server's service proxy refuses loopback addresses. So a test that needs the proxy runs in
//! a network namespace whose loopback device has one more address; a Pod object whose status names
//! that address, without a node, then stands for the process that listens there.

#![expect(
    clippy::disallowed_methods,
    reason = "the harness starts processes by itself"
)]

use std::ffi::OsString;
use std::future::Future;
use std::process::{Command, Stdio};

use crate::{Failure, Scratch};

/// The address of the network that is not a loopback address.
pub const ADDRESS: &str = "10.96.0.10";

/// Whether this process runs inside such a network.
pub fn entered() -> bool {
    std::env::var_os(ENTERED).is_some()
}

/// Runs the body of the test `name` inside a network of its own: starts this test program again in
/// there, for that one test. `name` is the path of the test as the test runner prints it.
///
/// # Errors
/// If the network cannot be made, or the body fails.
pub fn inside(name: &str, body: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    if let Some(proof) = std::env::var_os(ENTERED) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(body)?;
        return Ok(std::fs::write(proof, name)?);
    }
    let scratch = Scratch::new("own-network")?;
    let proof = scratch.path().join("passed");
    let status = command()?
        .arg(std::env::current_exe()?)
        .args(["--exact", name, "--nocapture"])
        .env(ENTERED, &proof)
        .stdin(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(Failure::new(format!(
            "{name}, in a network of its own, ended with {status}"
        )));
    }
    // The test runner is content when no test has the name.
    let ran = std::fs::read_to_string(proof).is_ok_and(|text| text == name);
    if !ran {
        return Err(Failure::new(format!(
            "no test of this program is named {name}"
        )));
    }
    Ok(())
}

/// A command that sets up the network and executes there what is added to it as arguments.
fn command() -> Result<Command, Failure> {
    const SET_UP: &str = "ip link set lo up && ip address add \"$0\"/32 dev lo && exec setpriv --pdeathsig KILL -- \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(way_in()?)
        .args(["/bin/sh", "-c", SET_UP, ADDRESS]);
    Ok(command)
}

/// A user namespace around the network namespace needs no rights; root may do without where user
/// namespaces are off.
fn way_in() -> Result<Vec<OsString>, Failure> {
    let ways = [vec!["--map-root-user", "--net", "--"], vec!["--net", "--"]];
    for way in ways {
        let tried = Command::new("unshare")
            .args(&way)
            .arg("true")
            .stderr(Stdio::null())
            .status()?;
        if tried.success() {
            return Ok(way.into_iter().map(OsString::from).collect());
        }
    }
    Err(Failure::new(
        "neither user namespaces nor, as root, network namespaces are allowed here: `unshare -rn true` fails",
    ))
}

/// Set inside, to the file that is written when the body has passed.
const ENTERED: &str = "SIGNET_OWN_NETWORK";
