//! `urlParse` and `urlJoin` (`url.go` of sprig).

use std::collections::BTreeMap;

use super::url::{Url, User, hostname};
use super::{Function, Type, function};
use crate::run::Failure;
use crate::value::{Map, Text, Value};

use Type::{Dict, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("urlParse", &[Str], None, |call, a| {
        let text = call.string(a, 0)?.bytes();
        call.budget.allocate(text.len().saturating_mul(4))?;
        let url = Url::parse(text)?;
        let userinfo = url.user.as_ref().map(User::shown).unwrap_or_default();
        let parts: [(&str, Vec<u8>); 8] = [
            ("hostname", hostname(&url.host).to_vec()),
            ("scheme", url.scheme),
            ("host", url.host),
            ("path", url.path),
            ("query", url.query),
            ("opaque", url.opaque),
            ("fragment", url.fragment),
            ("userinfo", userinfo),
        ];
        let entries: BTreeMap<Text, Value> = parts
            .into_iter()
            .map(|(name, part)| (Text::from(name), Value::bytes(part)))
            .collect();
        Ok(Value::Map(Map::any(entries)))
    }),
    function("urlJoin", &[Dict], None, |call, a| {
        let dict = call.dict(a, 0)?;
        let part = |name: &str| match dict.get(name.as_bytes()) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(text.bytes().to_vec()),
            Some(other) => {
                let kind = other.kind();
                Err(Failure::new(format!(
                    "unable to parse {name} key, must be of type string, but {kind} found"
                )))
            }
        };
        let userinfo = part("userinfo")?;
        let user = if userinfo.is_empty() {
            None
        } else {
            Url::parse(&[b"proto://".as_slice(), &userinfo, b"@host"].concat())?.user
        };
        let url = Url {
            scheme: part("scheme")?,
            host: part("host")?,
            path: part("path")?,
            query: part("query")?,
            force_query: false,
            opaque: part("opaque")?,
            fragment: part("fragment")?,
            user,
        };
        let bytes = url.joined();
        call.budget.allocate(bytes.len().saturating_mul(2))?;
        call.made(bytes)
    }),
];
