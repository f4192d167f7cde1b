//! kubeseal against kubeseal.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tests::cache::{self, SEALED_SECRETS};
use tests::{Failure, Invocation, Scratch, objects};

use crate::table::{Quantity, Table};

/// How often each program runs; they take turns, so that both meet the same noise.
const RUNS: usize = 41;
const RUNS_OF_MANY: usize = 7;
const SECRETS: usize = 500;
const FILES: usize = 1_000;

/// Both programs and a certificate to seal to.
struct Bench {
    scratch: Scratch,
    programs: [PathBuf; 2],
    certificate: PathBuf,
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        let scratch = Scratch::new("bench")?;
        let certificate = scratch.path().join("certificate.pem");
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../vectors/sealing.json"))?;
        let pem = vectors["keys"][1]["certificate"]
            .as_str()
            .unwrap_or_default();
        std::fs::write(&certificate, pem)?;
        let programs = [
            SEALED_SECRETS.program("kubeseal")?,
            cache::own_program("kubeseal")?,
        ];
        Ok(Self {
            scratch,
            programs,
            certificate,
        })
    }

    /// The median time of each program, theirs first, from process start to exit.
    async fn times(&self, input: &str, runs: usize) -> Result<[Quantity; 2], Failure> {
        let mut times = [Vec::new(), Vec::new()];
        for _run in 0..runs {
            for (program, times) in self.programs.iter().zip(&mut times) {
                let outcome = self.invocation(program).input(input).outcome().await?;
                if !outcome.status.success() {
                    return Err(Failure::new(outcome.stderr));
                }
                times.push(outcome.took.as_secs_f64() * 1_000.0);
            }
        }
        Ok(times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            let value = times.get(runs / 2).copied().unwrap_or_default();
            Quantity { value, unit: "ms" }
        }))
    }

    fn invocation(&self, program: &Path) -> Invocation {
        Invocation::new(program)
            .env("HOME", self.scratch.path())
            .args([
                "--format=yaml".as_ref(),
                "--cert".as_ref(),
                self.certificate.as_os_str(),
            ])
    }

    /// The most memory that each program had, theirs first.
    fn memory(&self, input: &str) -> Result<[Quantity; 2], Failure> {
        let file = self.scratch.path().join("input");
        std::fs::write(&file, input)?;
        let [theirs, ours] = &self.programs;
        Ok([self.peak(theirs, &file)?, self.peak(ours, &file)?])
    }

    /// The high-water mark, read while the program waits for room in a pipe that is full already:
    /// it has done its work then, but for the last write.
    #[expect(
        clippy::disallowed_methods,
        reason = "its standard output is a pipe of ours"
    )]
    fn peak(&self, program: &Path, input: &Path) -> Result<Quantity, Failure> {
        let (reader, mut writer) = std::io::pipe()?;
        writer.write_all(&[0; PIPE_BYTES])?;
        let mut child = Command::new(program)
            .arg("--format=yaml")
            .arg("--cert")
            .arg(&self.certificate)
            .env_clear()
            .env("HOME", self.scratch.path())
            .stdin(File::open(input)?)
            .stdout(writer)
            .spawn()?;
        let (mut last, mut same) = (0, 0);
        while same < LOOKS_AT_REST {
            std::thread::sleep(Duration::from_millis(10));
            let peak = high_water_mark(child.id())?;
            same = if peak == last { same + 1 } else { 0 };
            last = peak;
        }
        drop(reader);
        child.kill()?;
        child.wait()?;
        Ok(Quantity {
            value: f64::from(last) / 1_024.0,
            unit: "MiB",
        })
    }
}

fn high_water_mark(process: u32) -> Result<u32, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let number = number.ok_or_else(|| Failure::new("kubeseal ended before it was looked at"))?;
    Ok(number.trim().parse()?)
}

/// What Linux gives a pipe unless told otherwise.
const PIPE_BYTES: usize = 65_536;
/// How many looks in a row, of 10 ms each, must find the same.
const LOOKS_AT_REST: u32 = 30;

/// One Secret, from process start to exit.
pub(crate) async fn one(table: &mut Table) -> Result<(), Failure> {
    let bench = Bench::new()?;
    let secret = objects::secret("shop", "db", &[("password", b"supersecret")]).to_string();
    let [theirs, ours] = bench.times(&secret, RUNS).await?;
    table.add("seal one Secret", Some(theirs), ours, "<= 5 ms");
    let [theirs, ours] = bench.memory(&secret)?;
    table.add("seal one Secret: memory", Some(theirs), ours, "<= 10 MB");
    Ok(())
}

/// A whole repository looked at offline. The original has no such command.
pub(crate) async fn check(table: &mut Table) -> Result<(), Failure> {
    let bench = Bench::new()?;
    let [_theirs, program] = &bench.programs;
    let repository = bench.scratch.path().join("repository");
    for number in 0..FILES {
        let values: [(&str, &[u8]); 3] = [("a", b"first"), ("b", b"second"), ("c", b"third")];
        let secret = objects::secret("shop", &format!("db-{number}"), &values);
        let sealed = bench
            .invocation(program)
            .input(secret.to_string())
            .stdout()
            .await?;
        let directory = repository.join(format!("apps/{}", number / 10));
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join(format!("{number}.yaml")), sealed)?;
    }
    let mut times = Vec::new();
    for _run in 0..RUNS_OF_MANY {
        let check = Invocation::new(program)
            .env("HOME", bench.scratch.path())
            .args([
                "check".as_ref(),
                "--cert".as_ref(),
                bench.certificate.as_os_str(),
            ])
            .args([&repository]);
        let outcome = check.outcome().await?;
        let told = String::from_utf8_lossy(&outcome.stdout);
        if !outcome.status.success() || !told.contains(&format!("{FILES} SealedSecrets")) {
            return Err(Failure::new(format!("{told}{}", outcome.stderr)));
        }
        times.push(outcome.took.as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    let value = times.get(RUNS_OF_MANY / 2).copied().unwrap_or_default();
    let took = Quantity { value, unit: "ms" };
    table.add("check 1,000 sealed files", None, took, "< 1 s");
    Ok(())
}

/// Many Secrets in one stream.
pub(crate) async fn many(table: &mut Table) -> Result<(), Failure> {
    let bench = Bench::new()?;
    let mut stream = String::new();
    for number in 0..SECRETS {
        let values: [(&str, &[u8]); 3] = [("a", b"first"), ("b", b"second"), ("c", b"third")];
        let secret = objects::secret("shop", &format!("db-{number}"), &values);
        writeln!(stream, "---\n{secret}")?;
    }
    let [theirs, ours] = bench.times(&stream, RUNS_OF_MANY).await?;
    table.add(
        "seal 500 Secrets x 3 values, one stream",
        Some(theirs),
        ours,
        "<= 200 ms",
    );
    Ok(())
}
