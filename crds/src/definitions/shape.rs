//! Gives a derived definition what Rust types cannot say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
    ValidationRule,
};
use serde_json::Value;

/// A name of an object: labels of DNS, with dots between them.
const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A name of a namespace: one label of DNS.
const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A key of a Secret or ConfigMap.
const KEY: &str = "^[-._a-zA-Z0-9]+$";

/// A definition that is being given its shape.
///
/// A path names a field from the root, such as `spec.data[].key`: `[]` is an item of a list, `{}` a value of
/// a map. The empty path is the root.
pub(super) struct Shape(CustomResourceDefinition);

impl Shape {
    /// Begins with a derived definition. What the derive makes of `Option` and `Default` is taken out: the
    /// incumbents' fields are optional without being nullable, and have no defaults but those given here.
    pub(super) fn of(mut crd: CustomResourceDefinition) -> Self {
        for version in &mut crd.spec.versions {
            if let Some(root) = version
                .schema
                .as_mut()
                .and_then(|it| it.open_api_v3_schema.as_mut())
            {
                clean(root);
                // Only the kind's own description is left to the derive.
                root.required = None;
            }
        }
        Self(crd)
    }

    pub(super) fn done(self) -> CustomResourceDefinition {
        self.0
    }

    /// Applies `change` to the schema at `path`.
    pub(super) fn at(mut self, path: &str, change: impl FnOnce(&mut JSONSchemaProps)) -> Self {
        let root = self
            .0
            .spec
            .versions
            .first_mut()
            .and_then(|version| version.schema.as_mut());
        let schema = root.and_then(|it| it.open_api_v3_schema.as_mut());
        let schema = schema.and_then(|schema| find(schema, path));
        debug_assert!(schema.is_some(), "no {path} in {}", self.0.spec.names.kind);
        if let Some(schema) = schema {
            change(schema);
        }
        self
    }

    /// Fields that must be there.
    pub(super) fn required(self, path: &str, fields: &[&str]) -> Self {
        self.at(path, |schema| {
            schema.required = Some(fields.iter().map(ToString::to_string).collect());
        })
    }

    /// What the API server puts in where nothing is said.
    pub(super) fn default(self, path: &str, value: impl Into<Value>) -> Self {
        self.at(path, |schema| schema.default = Some(JSON(value.into())))
    }

    pub(super) fn pattern(self, path: &str, pattern: &str) -> Self {
        self.at(path, |schema| schema.pattern = Some(pattern.to_owned()))
    }

    /// The only texts allowed.
    pub(super) fn one_of(self, path: &str, texts: &[&str]) -> Self {
        let texts = texts.iter().map(|text| JSON(Value::from(*text))).collect();
        self.at(path, |schema| schema.enum_ = Some(texts))
    }

    pub(super) fn length(self, path: &str, least: i64, most: i64) -> Self {
        self.at(path, |schema| {
            schema.min_length = Some(least);
            schema.max_length = Some(most);
        })
    }

    pub(super) fn object_name(self, path: &str) -> Self {
        self.length(path, 1, 253).pattern(path, OBJECT_NAME)
    }

    pub(super) fn namespace(self, path: &str) -> Self {
        self.length(path, 1, 63).pattern(path, NAMESPACE)
    }

    pub(super) fn key(self, path: &str) -> Self {
        self.length(path, 1, 253).pattern(path, KEY)
    }

    /// Exactly one field is set.
    pub(super) fn one_field(self, path: &str) -> Self {
        self.at(path, |schema| {
            schema.min_properties = Some(1);
            schema.max_properties = Some(1);
        })
    }

    pub(super) fn nullable(self, path: &str) -> Self {
        self.at(path, |schema| schema.nullable = Some(true))
    }

    /// Keeps fields that the schema does not know.
    pub(super) fn open(self, path: &str) -> Self {
        self.at(path, |schema| {
            schema.x_kubernetes_preserve_unknown_fields = Some(true);
        })
    }

    /// A rule in CEL over the value at `path`, and what to say where it does not hold.
    pub(super) fn rule(self, path: &str, rule: &str, message: &str) -> Self {
        let rule = ValidationRule {
            rule: rule.to_owned(),
            message: Some(message.to_owned()),
            ..ValidationRule::default()
        };
        self.at(path, |schema| {
            schema
                .x_kubernetes_validations
                .get_or_insert_default()
                .push(rule);
        })
    }

    pub(super) fn label(mut self, key: &str, value: &str) -> Self {
        let labels = self.0.metadata.labels.get_or_insert_default();
        labels.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(super) fn annotation(mut self, key: &str, value: &str) -> Self {
        let annotations = self.0.metadata.annotations.get_or_insert_default();
        annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Leaves out the descriptions below `path`: they stand elsewhere, and are half of the bytes.
    pub(super) fn undescribed(self, path: &str) -> Self {
        self.at(path, describe_nothing)
    }

    /// Serves the same schema under an older version, too. Objects are stored as the first version, and
    /// converted by their `apiVersion` alone.
    pub(super) fn also_serve(mut self, older: &str) -> Self {
        if let Some(stored) = self.0.spec.versions.first() {
            let mut version = stored.clone();
            older.clone_into(&mut version.name);
            version.storage = false;
            version.deprecated = Some(true);
            // As in the incumbent. Fields that all versions have in common count as the whole CRD's, and those
            // then need a schema that all have in common (apiextensions `validation.go`).
            version.selectable_fields = None;
            let schema = version
                .schema
                .as_mut()
                .and_then(|it| it.open_api_v3_schema.as_mut());
            if let Some(schema) = schema {
                describe_nothing(schema);
            }
            self.0.spec.versions.push(version);
        }
        self
    }
}

fn find<'schema>(
    schema: &'schema mut JSONSchemaProps,
    path: &str,
) -> Option<&'schema mut JSONSchemaProps> {
    let mut schema = schema;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let name = part.trim_end_matches(['[', ']', '{', '}']);
        schema = schema.properties.as_mut()?.get_mut(name)?;
        let mut inner = part.get(name.len()..)?;
        while !inner.is_empty() {
            let (kind, rest) = inner.split_at_checked(2)?;
            schema = match (kind, &mut schema.items, &mut schema.additional_properties) {
                ("[]", Some(JSONSchemaPropsOrArray::Schema(item)), _) => item,
                ("{}", _, Some(JSONSchemaPropsOrBool::Schema(value))) => value,
                _ => return None,
            };
            inner = rest;
        }
    }
    Some(schema)
}

/// The schemas of what a schema contains.
fn children(schema: &mut JSONSchemaProps) -> impl Iterator<Item = &mut JSONSchemaProps> {
    let properties = schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut());
    let item = match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => Some(&mut **item),
        _ => None,
    };
    let value = match &mut schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(value)) => Some(&mut **value),
        _ => None,
    };
    properties.chain(item).chain(value)
}

fn describe_nothing(schema: &mut JSONSchemaProps) {
    schema.description = None;
    children(schema).for_each(describe_nothing);
}

fn clean(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.default = None;
    schema.title = None;
    schema.required = schema.required.take().filter(|_| is_foreign(schema));
    schema.description = schema.description.as_deref().map(first_sentence);
    // Of a map of anything, which `serde_json::Map` is.
    if matches!(
        schema.additional_properties,
        Some(JSONSchemaPropsOrBool::Bool(_))
    ) {
        schema.additional_properties = None;
        schema.x_kubernetes_preserve_unknown_fields = Some(true);
    }
    if has(schema, &["matchExpressions", "matchLabels"]) {
        schema.x_kubernetes_map_type = Some("atomic".to_owned());
    }
    children(schema).for_each(clean);
}

/// Whether the schema is one of Kubernetes' own types, whose required fields are right as they are: our own
/// types have defaults for all of theirs.
fn is_foreign(schema: &JSONSchemaProps) -> bool {
    has(schema, &["observedGeneration", "reason", "type"]) || has(schema, &["key", "operator"])
}

fn has(schema: &JSONSchemaProps, fields: &[&str]) -> bool {
    let properties = schema.properties.as_ref();
    properties.is_some_and(|it| fields.iter().all(|field| it.contains_key(*field)))
}

/// The first sentence of a doc comment, in one line and without its markup.
fn first_sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.replace("[`", "").replace("`]", "").replace('`', "");
    match text.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => text,
    }
}
