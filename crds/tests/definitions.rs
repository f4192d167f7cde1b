//! The definitions as the API server sees them.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};

fn definition(kind: &str) -> CustomResourceDefinition {
    crds::all()
        .into_iter()
        .find(|crd| crd.spec.names.kind == kind)
        .unwrap()
}

fn schema(crd: &CustomResourceDefinition, version: usize) -> &JSONSchemaProps {
    crd.spec.versions[version]
        .schema
        .as_ref()
        .unwrap()
        .open_api_v3_schema
        .as_ref()
        .unwrap()
}

fn field<'schema>(schema: &'schema JSONSchemaProps, name: &str) -> &'schema JSONSchemaProps {
    &schema.properties.as_ref().unwrap()[name]
}

#[test]
fn the_files_are_what_the_types_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    let on_disk: BTreeMap<String, String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    let made: BTreeMap<String, String> = crds::all()
        .iter()
        .map(|crd| crds::definitions::file(crd).unwrap())
        .collect();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&on_disk), names(&made));
    for (name, text) in &made {
        assert!(on_disk[name] == *text, "{name} is stale: run `make crds`");
    }
}

#[test]
fn the_kustomization_lists_every_file() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("kustomization.yaml");
    let listed: serde_json::Value =
        crds::yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let listed: Vec<&str> = listed["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let mut made: Vec<String> = crds::all()
        .iter()
        .map(|crd| format!("yaml/{}", crds::definitions::file(crd).unwrap().0))
        .collect();
    made.sort();
    assert_eq!(listed, made);
}

#[test]
fn every_kind_has_the_incumbents_names() {
    let names: Vec<_> = crds::all()
        .into_iter()
        .map(|crd| {
            let versions: Vec<_> = crd
                .spec
                .versions
                .iter()
                .filter(|it| it.served)
                .map(|it| it.name.clone())
                .collect();
            let short = crd.spec.names.short_names.unwrap_or_default().join(",");
            format!(
                "{} {} {short} {}",
                crd.metadata.name.unwrap(),
                crd.spec.scope,
                versions.join(",")
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            "clusterexternalsecrets.external-secrets.io Cluster ces v1,v1beta1",
            "clustersecretstores.external-secrets.io Cluster css v1,v1beta1",
            "ecrauthorizationtokens.generators.external-secrets.io Namespaced  v1alpha1",
            "externalsecrets.external-secrets.io Namespaced es v1,v1beta1",
            "gitrepositories.source.toolkit.fluxcd.io Namespaced gitrepo v1",
            "kustomizations.kustomize.toolkit.fluxcd.io Namespaced ks v1",
            "passwords.generators.external-secrets.io Namespaced  v1alpha1",
            "sealedsecrets.bitnami.com Namespaced  v1alpha1",
            "secretstores.external-secrets.io Namespaced ss v1,v1beta1",
        ]
    );
}

#[test]
fn exactly_one_version_is_stored_and_all_have_a_status() {
    for crd in crds::all() {
        let stored: Vec<_> = crd
            .spec
            .versions
            .iter()
            .map(|version| version.storage)
            .collect();
        assert!(
            stored[0] && !stored[1..].contains(&true),
            "{}",
            crd.spec.names.kind
        );
        for version in &crd.spec.versions {
            assert!(version.subresources.as_ref().unwrap().status.is_some());
        }
    }
}

#[test]
fn both_versions_of_an_external_secret_have_one_schema() {
    let crd = definition("ExternalSecret");
    let spec = |version| field(schema(&crd, version), "spec").clone();
    let names = |spec: &JSONSchemaProps| {
        spec.properties
            .clone()
            .unwrap()
            .into_keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&spec(0)), names(&spec(1)));
    assert_eq!(
        spec(0).x_kubernetes_validations,
        spec(1).x_kubernetes_validations
    );
    assert_eq!(
        field(&spec(1), "refreshInterval").default,
        field(&spec(0), "refreshInterval").default
    );
}

#[test]
fn a_store_of_another_provider_keeps_its_fields() {
    for kind in ["SecretStore", "ClusterSecretStore"] {
        let crd = definition(kind);
        let provider = field(field(schema(&crd, 0), "spec"), "provider");
        assert_eq!(provider.x_kubernetes_preserve_unknown_fields, Some(true));
        assert_eq!(
            (provider.min_properties, provider.max_properties),
            (Some(1), Some(1))
        );
    }
}

#[test]
fn no_definition_exceeds_what_client_side_apply_can_carry() {
    // 256 KiB for all annotations of an object; the incumbent's stores are 690 KB.
    for crd in crds::all() {
        assert!(serde_json::to_string(&crd).unwrap().len() < 64 << 10);
    }
}
