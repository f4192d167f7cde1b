//! A directory with a key and a certificate, in which the program is run.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use keys::{Certificate, KeyPair, KeySize, Keyring, Label, PrivateKey, Scope, Validity};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// One run's own files. HOME is empty and no variable of the user's is seen.
pub(crate) struct Bench {
    directory: TempDir,
}

pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    /// With `certificate.pem` and `private.pem`, of one key for all tests.
    pub(crate) fn new() -> Self {
        let bench = Self {
            directory: TempDir::new().unwrap(),
        };
        bench.write("certificate.pem", &pair().0);
        bench.write("private.pem", &pair().1);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Outcome {
        self.run_with(&[], arguments, input.as_bytes())
    }

    pub(crate) fn run_with(
        &self,
        variables: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Outcome {
        #[expect(clippy::disallowed_methods, reason = "the program under test")]
        let mut child = Command::new(env!("CARGO_BIN_EXE_kubeseal"))
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that fails early does not read its input.
        drop(child.stdin.take().unwrap().write_all(input));
        let output = child.wait_with_output().unwrap();
        Outcome {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs with the certificate.
    pub(crate) fn seal(&self, arguments: &[&str], input: &str) -> Outcome {
        self.run(&[&["--cert", "certificate.pem"], arguments].concat(), input)
    }

    /// The only files that a run may leave behind.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

impl Outcome {
    /// The output of a run that went well and had nothing to say.
    pub(crate) fn text(self) -> String {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (0, ""),
            "{}",
            self.stdout
        );
        self.stdout
    }

    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// The complaint of a run that failed and printed nothing.
    pub(crate) fn error(self) -> String {
        assert_eq!(
            (self.code, self.stdout.as_str()),
            (1, ""),
            "{}",
            self.stderr
        );
        self.stderr
            .strip_prefix("error: ")
            .unwrap()
            .trim_end()
            .to_owned()
    }
}

/// The certificate and the private key, in PEM.
pub(crate) fn pair() -> &'static (String, String) {
    static PAIR: OnceLock<(String, String)> = OnceLock::new();
    PAIR.get_or_init(|| make_pair(Validity::starting(SystemTime::now(), DAY)))
}

pub(crate) fn make_pair(validity: Validity) -> (String, String) {
    let pair = KeyPair::generate(KeySize::Bits2048, validity, "").unwrap();
    let key = String::from_utf8(pair.private_key().to_pem().expose().to_vec()).unwrap();
    (pair.certificate().to_pem(), key)
}

pub(crate) fn fingerprint() -> String {
    let certificate = Certificate::from_pem(pair().0.as_bytes()).unwrap();
    certificate.public_key().fingerprint().to_string()
}

/// Opens one item with the private key, as the controller would.
pub(crate) fn open(item: &str, scope: Scope, namespace: &str, name: &str) -> Option<String> {
    let mut ring = Keyring::new();
    ring.insert_private(
        PrivateKey::from_pem(pair().1.as_bytes()).unwrap(),
        SystemTime::UNIX_EPOCH,
    );
    let opened = ring
        .open_base64(item, &Label::new(scope, namespace, name), None)
        .ok()?;
    Some(String::from_utf8(opened.plaintext.expose().to_vec()).unwrap())
}

/// All items of a SealedSecret, opened under its own name, namespace and scope.
pub(crate) fn open_all(sealed: &Value) -> Vec<(String, String)> {
    let identity = document::Identity::of(sealed);
    let items = sealed["spec"]["encryptedData"].as_object().unwrap();
    let open = |(name, value): (&String, &Value)| {
        let value = value.as_str().unwrap();
        let opened = open(value, identity.scope, &identity.namespace, &identity.name);
        (name.clone(), opened.unwrap())
    };
    items.iter().map(open).collect()
}

pub(crate) fn secret(name: &str, namespace: &str, items: &[(&str, &str)]) -> Value {
    let data: serde_json::Map<String, Value> = items
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let mut secret = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data,
    });
    if !namespace.is_empty() {
        secret["metadata"]["namespace"] = namespace.into();
    }
    secret
}

pub(crate) fn yaml(text: &str) -> Value {
    let mut documents = crds::yaml::documents(text).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0).value
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
