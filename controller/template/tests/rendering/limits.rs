//! A template cannot take the process with it, whatever it says (T04 to T06 of the security table and
//! what goes with them).

use std::time::{Duration, Instant};

use template::{Delimiters, Dialect, Exceeded, Limits, Template, TemplateError, Values};

use crate::shared::{DIALECTS, YAML, render};

fn outcome(source: &str, dialect: Dialect, limits: &Limits) -> Result<Vec<u8>, TemplateError> {
    render(source, dialect, &Values::new(), limits)
}

/// Each asks for more memory or time than there is.
const HOSTILE: &[&str] = &[
    r#"{{ repeat 2000000000 "x" }}"#,
    r#"{{ repeat 9223372036854775807 "xx" }}"#,
    "{{ until 2000000000 }}",
    "{{ untilStep 0 9223372036854775807 1 }}",
    "{{ untilStep -9223372036854775808 9223372036854775807 1 }}",
    "{{ seq 1 9223372036854775807 }}",
    "{{ seq -9223372036854775808 1 9223372036854775807 }}",
    r#"{{ indent 2000000000 "x" }}"#,
    r#"{{ nindent 2000000000 "x" }}"#,
    r#"{{ indent 100000 (repeat 1000 "\n") }}"#,
    "{{ randAlphaNum 2000000000 }}",
    "{{ randBytes 2000000000 }}",
    "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}",
    "{{ range 9223372036854775807 }}{{ end }}",
    "{{ range 9223372036854775807 }}x{{ end }}",
    r#"{{ range until 1000 }}{{ printf "%1000000d" 1 }}{{ end }}"#,
    r#"{{ range until 1000 }}{{ $x := printf "%1000000d" 1 }}{{ end }}"#,
    r#"{{ range until 1000 }}{{ $x := printf "%.1000000f" 1.5 }}{{ end }}"#,
    r#"{{ $x := "x" }}{{ range until 100 }}{{ $x = print $x $x }}{{ end }}"#,
    r#"{{ $x := "x" }}{{ range until 100 }}{{ $x = quote $x }}{{ end }}"#,
    "{{ $l := list 1 }}{{ range until 60 }}{{ $l = list $l $l }}{{ end }}{{ $l }}",
    "{{ $l := list 1 }}{{ range until 60 }}{{ $l = list $l $l }}{{ end }}{{ toJson $l }}",
    "{{ $l := list 1 }}{{ range until 60 }}{{ $l = list $l $l }}{{ end }}{{ $x := deepCopy $l }}",
    "{{ $l := list 1 }}{{ $m := list 1 }}{{ range until 60 }}{{ $l = list $l $l }}{{ $m = list $m $m }}{{ end }}{{ deepEqual $l $m }}",
    "{{ $l := list 1 }}{{ range until 60 }}{{ $l = concat $l $l }}{{ end }}",
    "{{ $l := until 10000 }}{{ range until 10000 }}{{ $x := has -1 $l }}{{ end }}",
    "{{ $l := until 20000 }}{{ $x := uniq $l }}",
    r#"{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}"#,
    r#"{{ define "a" }}{{ template "b" }}{{ end }}{{ define "b" }}{{ if true }}{{ template "a" }}{{ end }}{{ end }}{{ template "a" }}"#,
    r#"{{ replace "" (repeat 10000 "x") (repeat 10000 "y") }}"#,
    r#"{{ replace "y" (repeat 10000 "x") (repeat 10000 "y") }}"#,
    r#"{{ regexReplaceAll "y" (repeat 10000 "y") (repeat 10000 "x") }}"#,
    r#"{{ regexReplaceAllLiteral "" (repeat 10000 "y") (repeat 10000 "x") }}"#,
    r#"{{ join (repeat 100000 "x") (until 1000) }}"#,
    r#"{{ wrapWith 1 (repeat 10000 "x") (repeat 10000 "y") }}"#,
    r#"{{ range until 100000 }}{{ $x := regexMatch "(a|b)*c" "abababab" }}{{ end }}"#,
    "{{ range until 1000 }}{{ $x := genPrivateKey \"ecdsa\" }}{{ end }}",
    "{{ range until 1000 }}{{ $x := bcrypt \"x\" }}{{ end }}",
    "{{ range until 1000 }}{{ $x := derivePassword 1 \"pin\" \"p\" \"u\" \"s\" }}{{ end }}",
    r#"{{ $s := repeat 1000000 "a,b" }}{{ splitList "," $s }}"#,
    r#"{{ fromJson (printf "[%s1]" (repeat 1000000 "1,")) }}"#,
    r#"{{ $d := dict }}{{ range until 1000000 }}{{ $_ := set $d (toString .) . }}{{ end }}"#,
];

#[test]
fn a_template_that_asks_for_too_much_is_stopped_soon() {
    for dialect in DIALECTS {
        for source in HOSTILE {
            let started = Instant::now();
            let limits = Limits {
                slow_calls: 4,
                ..Limits::default()
            };
            match outcome(source, dialect, &limits) {
                Err(TemplateError::TooCostly { .. }) => {}
                Err(other) => panic!("{source}: {other}"),
                Ok(bytes) => panic!("{source}: gave {} bytes", bytes.len()),
            }
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "{source} took {:?}",
                started.elapsed()
            );
        }
    }
}

#[test]
fn what_is_nested_deep_is_an_error_and_no_crash() {
    let deep = [
        format!("{}{}", "{{ if true }}".repeat(100_000), "{{ end }}".repeat(100_000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{}{}", "{{ range until 1 }}".repeat(10_000), "{{ end }}".repeat(10_000)),
        "{{ if true }}".repeat(100_000),
        format!("{}x", "{{ define \"a\" }}".repeat(50_000)),
        format!("{{{{ fromJson {:?} }}}}", "[".repeat(100_000)),
        format!("{{{{ mustFromJson {:?} }}}}", format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))),
        "{{ $l := list }}{{ range until 100000 }}{{ $l = list $l }}{{ end }}{{ $l }}".to_owned(),
        "{{ $l := list }}{{ range until 100000 }}{{ $l = list $l }}{{ end }}{{ toYaml $l }}".to_owned(),
        "{{ $d := dict }}{{ range until 50000 }}{{ $d = dict \"x\" $d }}{{ end }}{{ $x := deepCopy $d }}".to_owned(),
        format!("{{{{ regexMatch {:?} \"x\" | fail }}}}", "(".repeat(100_000)),
    ];
    for source in &deep {
        let result = outcome(source, Dialect::ExternalSecrets(YAML), &Limits::default());
        let empty_for_go = source.contains("toYaml") || source.contains("fromJson \"[[[");
        assert!(result.is_err() || empty_for_go, "{}", &source[..60]);
    }
}

#[test]
fn what_is_nested_as_deep_as_allowed_is_run_on_a_small_stack() {
    let sources = [
        format!("{{{{ {}1{} }}}}", "(".repeat(99), ")".repeat(99)),
        format!("{}1{}", "{{ if true }}".repeat(99), "{{ end }}".repeat(99)),
        format!("{}{{{{ {}1{} }}}}{}", "{{ with 1 }}".repeat(49), "(print ".repeat(49), ")".repeat(49), "{{ end }}".repeat(49)),
        format!("{{{{ fromJson {:?} | toJson | len | gt 0 | ternary 0 1 }}}}", format!("{}{}", "[".repeat(99), "]".repeat(99))),
        r#"{{ define "r" }}{{ if gt . 1 }}{{ template "r" (int (sub . 1)) }}{{ else }}1{{ end }}{{ end }}{{ template "r" 70 }}"#.to_owned(),
    ];
    for source in sources {
        let run = move || {
            outcome(&source, Dialect::SealedSecrets, &Limits::default()).map_err(|e| e.to_string())
        };
        let thread = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(run)
            .unwrap();
        assert_eq!(thread.join().unwrap().unwrap(), b"1");
    }
}

#[test]
fn a_long_chain_of_else_if_is_run() {
    let source = format!(
        "{{{{ if false }}}}a{}{{{{ else }}}}z{{{{ end }}}}",
        "{{ else if false }}b".repeat(20_000)
    );
    assert_eq!(
        outcome(&source, Dialect::SealedSecrets, &Limits::default()).unwrap(),
        b"z"
    );
}

#[test]
fn lists_nested_a_hundred_thousand_deep_are_let_go_without_a_crash() {
    let source = "{{ $l := list }}{{ range until 100000 }}{{ $l = list $l }}{{ end }}done";
    assert_eq!(
        outcome(source, Dialect::SealedSecrets, &Limits::default()).unwrap(),
        b"done"
    );
}

#[test]
fn a_dict_cannot_be_put_into_itself() {
    for source in [
        r#"{{ $d := dict }}{{ $_ := set $d "self" $d }}"#,
        r#"{{ $d := dict }}{{ $_ := set $d "list" (list 1 (dict "d" $d)) }}"#,
        r#"{{ $d := dict "a" (dict) }}{{ $_ := set $d.a "up" $d }}"#,
        r#"{{ $d := dict }}{{ $_ := merge $d (dict "d" $d) }}"#,
        r#"{{ $d := dict }}{{ $_ := mergeOverwrite $d (dict "d" (list $d)) }}"#,
    ] {
        let error = outcome(source, Dialect::SealedSecrets, &Limits::default()).unwrap_err();
        assert!(
            error.to_string().contains("cannot be put into itself"),
            "{source}: {error}"
        );
    }
}

#[test]
fn each_limit_is_reported_as_itself() {
    let with = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        limits
    };
    let cases = [
        ("12345", with(|l| l.output_bytes = 4), Exceeded::Output(4)),
        (
            r#"{{ $x := repeat 100 "x" }}"#,
            with(|l| l.made_bytes = 50),
            Exceeded::Made(50),
        ),
        (
            "{{ range until 10 }}{{ end }}",
            with(|l| l.steps = 5),
            Exceeded::Steps(5),
        ),
        (
            r#"{{ $x := bcrypt "a" }}"#,
            with(|l| l.slow_calls = 0),
            Exceeded::SlowCalls(0),
        ),
        (
            "{{ range 100000 }}{{ end }}",
            with(|l| l.time = Duration::ZERO),
            Exceeded::Time(Duration::ZERO),
        ),
    ];
    for (source, limits, expected) in cases {
        match outcome(source, Dialect::SealedSecrets, &limits) {
            Err(TemplateError::TooCostly { exceeded, line: 1 }) => assert_eq!(exceeded, expected),
            _ => panic!("{source} is not stopped"),
        }
    }
    let long = "x".repeat((1 << 20) + 1);
    let result = Template::parse(&long, Dialect::SealedSecrets, &Delimiters::default());
    assert!(matches!(
        result,
        Err(TemplateError::TooCostly {
            exceeded: Exceeded::Source(_),
            ..
        })
    ));
}

#[test]
fn a_result_of_one_megabyte_is_within_the_limits() {
    let mut values = Values::new();
    values.insert("big".into(), vec![0xff; 1 << 20].into());
    let source = "{{ .big | b64enc }}";
    let result = render(
        source,
        Dialect::ExternalSecrets(YAML),
        &values,
        &Limits::default(),
    )
    .unwrap();
    assert_eq!(result.len(), (1usize << 20).div_ceil(3) * 4);
}

#[test]
fn t04_no_function_reads_the_environment_or_a_file() {
    for name in [
        "env",
        "expandenv",
        "readFile",
        "readDir",
        "glob",
        "lookup",
        "include",
        "tpl",
        "exec",
    ] {
        for dialect in DIALECTS {
            assert!(!Template::functions(dialect).contains(&name), "{name}");
            let source = format!("{{{{ {name} \"PATH\" }}}}");
            assert!(
                Template::parse(&source, dialect, &Delimiters::default()).is_err(),
                "{name}"
            );
        }
    }
}

#[test]
fn t05_no_function_uses_the_network() {
    for name in ["getHostByName", "lookupHost", "httpGet"] {
        for dialect in DIALECTS {
            assert!(!Template::functions(dialect).contains(&name), "{name}");
            let source = format!("{{{{ {name} \"example.com\" }}}}");
            assert!(
                Template::parse(&source, dialect, &Delimiters::default()).is_err(),
                "{name}"
            );
        }
    }
}

#[test]
fn t06_a_template_sees_the_values_of_its_object_and_nothing_else() {
    let mut values = Values::new();
    values.insert("own".into(), b"v".to_vec().into());
    for dialect in DIALECTS {
        let seen = render(
            "{{ range $k, $v := $ }}{{ $k }}={{ $v }};{{ end }}",
            dialect,
            &values,
            &Limits::default(),
        );
        assert_eq!(seen.unwrap(), b"own=v;");
        for name in ["getSecretKey", "getSecret", "secret", "lookup"] {
            let source = format!("{{{{ {name} \"other\" \"key\" }}}}");
            assert!(
                Template::parse(&source, dialect, &Delimiters::default()).is_err(),
                "{name}"
            );
        }
    }
}

#[test]
fn t33_a_regular_expression_takes_time_in_proportion_to_its_text() {
    let text = r#"(print (repeat 200000 "a") "b")"#;
    for pattern in [
        "(a+)+$",
        "^(a|a)*$",
        "(.*)*x",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(a?){100}a{100}c",
    ] {
        let started = Instant::now();
        let source = format!("{{{{ regexMatch {pattern:?} {text} }}}}");
        assert_eq!(
            outcome(&source, Dialect::SealedSecrets, &Limits::default()).unwrap(),
            b"false"
        );
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{pattern} took {:?}",
            started.elapsed()
        );
    }
    for pattern in [
        "(a{1000}){1000}",
        "((a{100}){100}){100}",
        "[\\pL]{1000}{1000}",
    ] {
        let source = format!("{{{{ mustRegexMatch {pattern:?} \"a\" }}}}");
        assert!(
            outcome(&source, Dialect::SealedSecrets, &Limits::default()).is_err(),
            "{pattern}"
        );
    }
}

#[test]
fn no_error_shows_a_value() {
    let secret = "hunter2-hunter2";
    let mut values = Values::new();
    values.insert("password".into(), secret.as_bytes().to_vec().into());
    let failing = [
        "{{ fail .password }}",
        r#"{{ fail (printf "the password is %s" .password) }}"#,
        "{{ range .password }}{{ end }}",
        "{{ .password.field }}",
        "{{ index .password 1000 }}",
        "{{ index (list) .password }}",
        "{{ mustFromJson .password }}",
        "{{ mustToDate \"2006\" .password }}",
        r#"{{ mustDateModify .password (toDate "2006" "2024") }}"#,
        "{{ semver .password }}",
        "{{ semverCompare .password .password }}",
        "{{ mustRegexMatch (print \"[\" .password) \"x\" }}",
        "{{ urlParse (print \"http://h:\" .password) }}",
        "{{ until .password }}",
        "{{ ternary 1 2 .password }}",
        "{{ lt .password 1 }}",
        "{{ eq .password 1 }}",
        "{{ first .password }}",
        "{{ dig .password .password 1 .password }}",
        "{{ concat .password }}",
        "{{ decryptAES \"k\" .password }}",
        "{{ genCAWithKey .password 1 .password }}",
        "{{ genSelfSignedCert .password (list .password) nil 1 }}",
        "{{ (dict .password 1).missing.deeper }}{{ fail \"x\" }}",
        "{{ pkcs12keyPass .password .password }}",
        "{{ filterPEM .password .password }}",
        "{{ certSANs .password }}",
        "{{ jwkPublicKeyPem .password }}",
        "{{ rsaDecrypt .password .password .password .password }}",
        "{{ pemToPkcs12 .password .password }}",
        "{{ call .password }}",
        "{{ template \"x\" .password }}",
    ];
    for source in failing {
        let error = render(
            source,
            Dialect::ExternalSecrets(YAML),
            &values,
            &Limits::default(),
        )
        .unwrap_err();
        let text = error.to_string();
        assert!(!text.contains("hunter2"), "{source}: {text}");
        assert!(text.starts_with("line 1: "), "{text}");
    }
}

#[test]
fn the_message_of_fail_is_shown_if_the_template_says_it_word_for_word() {
    let text = |source| {
        outcome(source, Dialect::SealedSecrets, &Limits::default())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        text("\n{{ fail \"no user\" }}"),
        "line 2: error calling fail: no user"
    );
    assert!(text("{{ fail (print \"no \" \"user\") }}").contains("its message is not shown"));
}
