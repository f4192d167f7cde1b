//! Our kubeseal against the real sealed-secrets controller, and the real kubeseal against ours, in every
//! mode and scope.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, ControllerBuilder, Failure, Invocation, Observation, RealController,
    Scratch,
    cache::{self, SEALED_SECRETS},
    eventually, objects, own_network, rights,
};

const SCOPES: [&str; 3] = ["strict", "namespace-wide", "cluster-wide"];

#[test]
fn our_kubeseal_and_the_real_controller_in_every_mode_and_scope() -> Result<(), Failure> {
    let name = "our_kubeseal_and_the_real_controller_in_every_mode_and_scope";
    // The certificate is fetched, and files are judged, through the API server's service proxy.
    own_network::inside(name, every_mode_and_scope())
}

async fn every_mode_and_scope() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let identity = rights::sealed_secrets(plane).await?;
    let scratch = Scratch::new("our-kubeseal")?;
    let mut controller = RealController::start(&identity, &["--key-size=2048"])?;
    let cluster = plane.cluster().await?;
    cluster
        .stand_in(
            identity.namespace,
            "sealed-secrets-controller",
            controller.port(),
        )
        .await?;
    let run = Run {
        program: cache::own_program("kubeseal")?,
        plane,
        cluster: &cluster,
        namespace: cluster.namespace("modes").await?,
        scratch: scratch.path(),
    };
    eventually("the real controller's certificate", async || {
        controller.process().must_run()?;
        let outcome = run.kubeseal(&["--fetch-cert"], "").await?;
        Ok(Observation::when(outcome.0, || outcome.1))
    })
    .await?;
    for scope in SCOPES {
        run.seal_and_raw(scope).await?;
        run.merge(scope).await?;
        run.validate_and_re_encrypt(scope).await?;
        run.recover(scope, identity.namespace).await?;
    }
    controller.process().must_run()
}

#[test]
fn the_real_kubeseal_and_our_controller_in_every_mode_and_scope() -> Result<(), Failure> {
    let name = "the_real_kubeseal_and_our_controller_in_every_mode_and_scope";
    own_network::inside(name, every_mode_and_scope_of_the_original())
}

async fn every_mode_and_scope_of_the_original() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let identity = rights::sealed_secrets(plane).await?;
    let scratch = Scratch::new("real-kubeseal")?;
    let controller = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?
        .parts("sealed")
        .flag("key-size", "2048")
        // Nobody types as fast as this.
        .flag("rate-limit", "1000")
        .flag("rate-limit-burst", "1000")
        .start()
        .await?;
    let cluster = plane.cluster().await?;
    let service = "sealed-secrets-controller";
    cluster
        .stand_in(identity.namespace, service, controller.port())
        .await?;
    let run = Run {
        program: SEALED_SECRETS.program("kubeseal")?,
        plane,
        cluster: &cluster,
        namespace: cluster.namespace("modes").await?,
        scratch: scratch.path(),
    };
    let (_status, served) = controller.get("/v1/cert.pem").await?;
    eventually("our controller's certificate", async || {
        let (went_well, fetched) = run.kubeseal(&["--fetch-cert"], "").await?;
        let is_ours = went_well && fetched.trim() == served.trim();
        Ok(Observation::when(is_ours, || fetched))
    })
    .await?;
    for scope in SCOPES {
        run.seal_and_raw(scope).await?;
        run.merge_by_the_original(scope).await?;
        run.validate_and_re_encrypt_by_the_original(scope).await?;
    }
    Ok(())
}

/// What the cases share.
struct Run<'a> {
    program: PathBuf,
    plane: &'static ControlPlane,
    cluster: &'a Cluster,
    namespace: String,
    scratch: &'a Path,
}

impl Run<'_> {
    /// Runs kubeseal: whether it went well, and what it printed.
    async fn kubeseal(&self, arguments: &[&str], input: &str) -> Result<(bool, String), Failure> {
        let outcome = Invocation::new(&self.program)
            .env("KUBECONFIG", self.plane.admin().path())
            .env("HOME", self.scratch)
            .directory(self.scratch)
            .args(arguments)
            .input(input)
            .outcome()
            .await?;
        let text = String::from_utf8(outcome.stdout)? + &outcome.stderr;
        Ok((outcome.status.success(), text))
    }

    async fn must(&self, arguments: &[&str], input: &str) -> Result<String, Failure> {
        match self.kubeseal(arguments, input).await? {
            (true, text) => Ok(text),
            (false, text) => Err(Failure::new(format!("{}: {text}", arguments.join(" ")))),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    fn secret(&self, name: &str, items: &[(&str, &[u8])]) -> String {
        objects::secret(&self.namespace, name, items).to_string()
    }

    async fn opens(
        &self,
        name: &str,
        sealed: &str,
        items: &[(&str, &[u8])],
    ) -> Result<(), Failure> {
        self.plane
            .kubectl()?
            .args(["apply", "-f", "-"])
            .input(sealed)
            .stdout()
            .await?;
        for (key, value) in items {
            self.cluster
                .secret_holds(&self.namespace, name, key, value)
                .await?;
        }
        Ok(())
    }

    async fn seal_and_raw(&self, scope: &str) -> Result<(), Failure> {
        let name = format!("sealed-{scope}");
        let input = self.secret(&name, &[("a", b"one")]);
        for format in ["json", "yaml"] {
            let sealed = self.must(&["--scope", scope, "-o", format], &input).await?;
            self.opens(&name, &sealed, &[("a", b"one")]).await?;
        }
        let name = format!("raw-{scope}");
        let arguments = [
            "--raw",
            "--scope",
            scope,
            "-n",
            &self.namespace,
            "--name",
            &name,
        ];
        let item = self.must(&arguments, "two").await?;
        let mut sealed = objects::sealed_secret(&self.namespace, &name, &[("a", &item)]);
        if scope != "strict" {
            let annotation = format!("sealedsecrets.bitnami.com/{scope}");
            sealed["metadata"]["annotations"] = json!({annotation: "true"});
        }
        self.opens(&name, &sealed.to_string(), &[("a", b"two")])
            .await
    }

    async fn merge(&self, scope: &str) -> Result<(), Failure> {
        let name = format!("merged-{scope}");
        let path = self.file("merged.yaml");
        let sealed = self
            .must(
                &["--scope", scope, "-o", "yaml"],
                &self.secret(&name, &[("a", b"one"), ("b", b"two")]),
            )
            .await?;
        std::fs::write(&path, format!("# mine\n{sealed}"))?;
        let more = self.secret("elsewhere", &[("b", b"three"), ("c", b"four")]);
        self.must(&["--merge-into", "merged.yaml"], &more).await?;
        self.must(&["rename", "merged.yaml", "c", "d"], "").await?;
        self.must(&["set", "merged.yaml", "e"], "five").await?;
        let merged = std::fs::read_to_string(&path)?;
        assert!(merged.starts_with("# mine\n"), "{merged}");
        let items: [(&str, &[u8]); 4] = [
            ("a", b"one"),
            ("b", b"three"),
            ("d", b"four"),
            ("e", b"five"),
        ];
        self.opens(&name, &merged, &items).await
    }

    async fn validate_and_re_encrypt(&self, scope: &str) -> Result<(), Failure> {
        let name = format!("validated-{scope}");
        let input = self.secret(&name, &[("a", b"one")]);
        let sealed = self.must(&["--scope", scope, "-o", "yaml"], &input).await?;
        self.must(&["--validate"], &sealed).await?;
        let path = self.file("validated.yaml");
        std::fs::write(&path, format!("# mine\n{sealed}"))?;
        self.must(&["--re-encrypt", "-f", "validated.yaml"], "")
            .await?;
        let again = std::fs::read_to_string(&path)?;
        let kept = |text: &str| text.lines().filter(|line| !line.contains("A")).count();
        assert!(again.starts_with("# mine\n") && again != sealed, "{again}");
        assert_eq!(kept(&again), kept(&format!("# mine\n{sealed}")));
        self.opens(&name, &again, &[("a", b"one")]).await?;
        let printed = self.must(&["--re-encrypt"], &sealed).await?;
        let printed: Value = serde_json::from_str(&printed)?;
        assert_eq!(printed["kind"], "SealedSecret");
        self.is_valid_elsewhere(scope, &name, &sealed).await
    }

    /// What is sealed cluster-wide is valid everywhere, and nothing else is.
    async fn is_valid_elsewhere(
        &self,
        scope: &str,
        name: &str,
        sealed: &str,
    ) -> Result<(), Failure> {
        let moved = sealed.replace(
            &format!("namespace: {}", self.namespace),
            "namespace: moved",
        );
        let (valid, said) = self.kubeseal(&["--validate"], &moved).await?;
        assert_eq!(valid, scope == "cluster-wide", "{said}");
        if !valid {
            assert_eq!(
                said,
                format!("error: unable to decrypt sealed secret: {name}\n")
            );
        }
        Ok(())
    }

    /// The original writes the whole file anew, and has no commands for a single item.
    async fn merge_by_the_original(&self, scope: &str) -> Result<(), Failure> {
        let name = format!("merged-{scope}");
        let arguments = ["--scope", scope, "-o", "yaml"];
        let secret = self.secret(&name, &[("a", b"one"), ("b", b"two")]);
        let sealed = self.must(&arguments, &secret).await?;
        let path = self.file("merged.yaml");
        std::fs::write(&path, sealed)?;
        let more = self.secret(&name, &[("b", b"three"), ("c", b"four")]);
        let merging = [&arguments[..], &["--merge-into", "merged.yaml"]].concat();
        self.must(&merging, &more).await?;
        let merged = std::fs::read_to_string(&path)?;
        let items: [(&str, &[u8]); 3] = [("a", b"one"), ("b", b"three"), ("c", b"four")];
        self.opens(&name, &merged, &items).await
    }

    async fn validate_and_re_encrypt_by_the_original(&self, scope: &str) -> Result<(), Failure> {
        let name = format!("validated-{scope}");
        let secret = self.secret(&name, &[("a", b"one")]);
        let arguments = ["--scope", scope, "-o", "yaml"];
        let sealed = self.must(&arguments, &secret).await?;
        self.must(&["--validate"], &sealed).await?;
        let again = self.must(&["--re-encrypt", "-o", "yaml"], &sealed).await?;
        let lines = |text: &str| text.lines().filter(|line| line.contains("a: A")).count();
        assert_eq!((lines(&sealed), lines(&again)), (1, 1), "{again}");
        assert_ne!(again, sealed);
        self.must(&["--validate"], &again).await?;
        self.opens(&name, &again, &[("a", b"one")]).await?;
        self.is_valid_elsewhere(scope, &name, &sealed).await
    }

    /// Opens with the backup that the README of the original describes.
    async fn recover(&self, scope: &str, keys: &str) -> Result<(), Failure> {
        let backup = self
            .plane
            .kubectl()?
            .args(["get", "secret", "--namespace", keys, "-o", "yaml"])
            .args(["-l", "sealedsecrets.bitnami.com/sealed-secrets-key"])
            .stdout()
            .await?;
        std::fs::write(self.file("keys.yaml"), backup)?;
        let input = self.secret("lost", &[("a", b"found")]);
        let sealed = self.must(&["--scope", scope], &input).await?;
        let arguments = ["--recovery-unseal", "--recovery-private-key", "keys.yaml"];
        // The incumbent renders templates here as well.
        let mut sealed: Value = serde_json::from_str(&sealed)?;
        sealed["spec"]["template"]["data"] = json!({"url": "db://{{ .a | upper }}@host"});
        let sealed = sealed.to_string();
        let opened: Value = serde_json::from_str(&self.must(&arguments, &sealed).await?)?;
        assert_eq!(opened["data"]["a"], "Zm91bmQ=");
        let theirs = Invocation::new(SEALED_SECRETS.program("kubeseal")?)
            .env("HOME", self.scratch)
            .directory(self.scratch)
            .args(arguments)
            .input(sealed)
            .stdout()
            .await?;
        let theirs: Value = serde_json::from_str(&theirs)?;
        assert_eq!(opened["data"], theirs["data"]);
        Ok(())
    }
}
