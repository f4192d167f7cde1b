//! What answers become, entry by entry.

use serde_json::{Value, json};

use super::*;
use crate::template::Engine;

fn spec(spec: Value) -> ExternalSecretSpec {
    serde_json::from_value(spec).unwrap()
}

fn text(text: &str) -> Result<Arc<Payload>, Lack> {
    Ok(Arc::new(Payload::of_text(text.to_owned())))
}

fn shown(assembled: &Assembled) -> Vec<(&str, &str)> {
    let show = |bytes: &'_ SecretBytes| -> &str {
        // The test data is text.
        let bytes: &[u8] = bytes.expose();
        Box::leak(String::from_utf8(bytes.to_vec()).unwrap().into_boxed_str())
    };
    assembled
        .values
        .iter()
        .map(|(key, value)| (key.as_str(), show(value)))
        .collect()
}

fn only_data(data: Vec<Result<Arc<Payload>, Lack>>) -> Answers {
    Answers { from: vec![], data }
}

fn only_from(from: Vec<FromAnswer>) -> Answers {
    Answers { from, data: vec![] }
}

fn run(of: Value, answers: Answers) -> Result<Assembled, Unserved> {
    assemble(&spec(of), answers, &Engine::default())
}

fn complaint(of: Value, answers: Answers) -> String {
    run(of, answers).err().unwrap().text
}

/// SimpleDataSync, JSONDataWithProperty and NestedJSONWithGJSON of the incumbent's end-to-end suite.
#[test]
fn data_takes_values_and_properties() {
    let of = json!({"data": [
        {"secretKey": "plain", "remoteRef": {"key": "a"}},
        {"secretKey": "one", "remoteRef": {"key": "b", "property": "foo1"}},
        {"secretKey": "deep", "remoteRef": {"key": "b", "property": "friends.1.first"}},
        {"secretKey": "name", "remoteRef": {"key": "c", "decodingStrategy": "Base64"}},
    ]});
    let json = r#"{"foo1":"foo1-val","friends":[{"first":"Dale"},{"first":"Roger"}]}"#;
    let answers = only_data(vec![
        text("value"),
        text(json),
        text(json),
        text("Z3JlYXQtbmFtZQ=="),
    ]);
    let found = run(of, answers).unwrap();
    let expected = [
        ("deep", "Roger"),
        ("name", "great-name"),
        ("one", "foo1-val"),
        ("plain", "value"),
    ];
    assert_eq!(shown(&found), expected);
}

/// JSONDataFromSync and JSONDataFromExtractProperty; later entries and then `data` win.
#[test]
fn extract_takes_all_properties_and_data_wins() {
    let of = json!({
        "dataFrom": [
            {"extract": {"key": "a"}},
            {"extract": {"key": "b", "property": "db"}},
        ],
        "data": [{"secretKey": "port", "remoteRef": {"key": "c"}}],
    });
    let answers = Answers {
        from: vec![
            FromAnswer::Extract(text(r#"{"username":"first","a/b":"x"}"#)),
            FromAnswer::Extract(text(
                r#"{"db":{"username":"my_user","port":5432},"apiKey":"k"}"#,
            )),
        ],
        data: vec![text("6543")],
    };
    let found = run(of, answers).unwrap();
    assert_eq!(
        shown(&found),
        [("a_b", "x"), ("port", "6543"), ("username", "my_user")]
    );
}

/// FindByNameAndRewrite: with a rewrite, keys are not converted.
#[test]
fn find_makes_one_key_of_each_secret() {
    let found = || {
        FromAnswer::Find(Ok(vec![
            ("ns/one".to_owned(), Arc::new(Payload::of_text("1".into()))),
            ("ns/two".to_owned(), Arc::new(Payload::of_text("2".into()))),
        ]))
    };
    let plain = json!({"dataFrom": [{"find": {"name": {"regexp": "."}}}]});
    assert_eq!(
        shown(&run(plain, only_from(vec![found()])).unwrap()),
        [("ns_one", "1"), ("ns_two", "2")]
    );
    let rewrite = |source: &str| {
        json!({"dataFrom": [{
            "find": {"name": {"regexp": "."}},
            "rewrite": [{"regexp": {"source": source, "target": "$1"}}],
        }]})
    };
    let kept = run(rewrite("ns/(.*)"), only_from(vec![found()])).unwrap();
    assert_eq!(shown(&kept), [("one", "1"), ("two", "2")]);
    assert_eq!(
        complaint(rewrite("(.*)"), only_from(vec![found()])),
        "error processing spec.dataFrom[0].find, err: invalid secret keys (TIP: use rewrite or \
         conversionStrategy to change keys): key has invalid character /, only alphanumeric, '-', \
         '.' and '_' are allowed: ns/one"
    );
}

#[test]
fn a_missing_secret_is_an_error_or_skipped_as_the_deletion_policy_says() {
    let of = |policy: &str| {
        json!({
            "target": {"deletionPolicy": policy},
            "dataFrom": [{"extract": {"key": "x"}}],
            "data": [
                {"secretKey": "a", "remoteRef": {"key": "gone"}},
                {"secretKey": "b", "remoteRef": {"key": "here"}},
            ],
        })
    };
    let answers = || Answers {
        from: vec![FromAnswer::Extract(Err(Lack::Missing))],
        data: vec![Err(Lack::Missing), text("v")],
    };
    let retain = run(of("Retain"), answers()).err().unwrap();
    assert_eq!(
        retain.text,
        "error processing spec.dataFrom[0].extract, err: Secret does not exist"
    );
    assert_eq!(retain.lack, Lack::Missing);
    for policy in ["Delete", "Merge"] {
        let found = run(of(policy), answers()).unwrap();
        assert_eq!(shown(&found), [("b", "v")]);
        assert_eq!(
            found.skipped,
            ["spec.dataFrom[0]", "spec.data[0] (key=gone)"]
        );
    }
}

#[test]
fn a_missing_property_is_an_error_under_every_deletion_policy() {
    for policy in ["Retain", "Delete", "Merge"] {
        let of = json!({
            "target": {"deletionPolicy": policy},
            "data": [{"secretKey": "a", "remoteRef": {"key": "db", "property": "fail"}}],
        });
        let error = complaint(of, only_data(vec![text("{}")]));
        assert_eq!(
            error,
            "error processing spec.data[0] (key: db), err: key fail does not exist in secret db"
        );
    }
}

#[test]
fn what_the_provider_says_comes_with_the_entry_it_is_about() {
    let of = json!({"data": [{"secretKey": "a", "remoteRef": {"key": "db"}}]});
    let denied = Lack::Failed("GetSecretValue: AccessDeniedException: no".into());
    let error = run(of.clone(), only_data(vec![Err(denied)])).err().unwrap();
    assert_eq!(
        error.text,
        "error processing spec.data[0] (key: db), err: GetSecretValue: AccessDeniedException: no"
    );
    let throttled = run(of, only_data(vec![Err(Lack::Throttled("slow".into()))]))
        .err()
        .unwrap();
    assert_eq!(throttled.lack, Lack::Throttled("slow".into()));
}

/// The incumbent's failWhen*NullBytes.
#[test]
fn null_bytes_are_refused_where_the_policy_asks_for_it() {
    let of = |policy: &str| {
        json!({
            "data": [{"secretKey": "a", "remoteRef": {"key": "k", "nullBytePolicy": policy}}],
            "dataFrom": [{"extract": {"key": "k", "nullBytePolicy": policy}}],
        })
    };
    let answers = || Answers {
        from: vec![FromAnswer::Extract(text(r#"{"x":"a\u0000b"}"#))],
        data: vec![text("a\0b")],
    };
    assert!(run(of("Ignore"), answers()).is_ok());
    let error = complaint(of("Fail"), answers());
    assert!(
        error.contains("fetched secret value for key \"x\" contains null bytes"),
        "{error}"
    );
    let data_alone = Answers {
        from: vec![FromAnswer::Nothing],
        data: answers().data,
    };
    assert!(complaint(of("Fail"), data_alone).contains("for key \"a\" contains"));
}
