//! Finding the certificate to seal with.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keys::Certificate;

use crate::arguments::Settings;
use crate::cluster::Controller;
use crate::error::Failure;
use crate::profile::Profile;
use crate::{files, web};

/// The certificate's text as it is found, for `--fetch-cert`.
pub(crate) fn fetch(settings: &Settings) -> Result<Vec<u8>, Failure> {
    if settings.certificate.is_empty() {
        return web::block_on(async {
            Controller::connect(settings, None)
                .await?
                .certificate()
                .await
        });
    }
    from(&settings.certificate, settings)
}

/// The certificate for the file that is read or merged into, or for the current directory.
pub(crate) fn find(settings: &Settings) -> Result<Certificate, Failure> {
    let path = settings.merge_into.as_deref().or(settings.input.as_deref());
    find_for(settings, path)
}

/// The certificate to seal with: that of `--cert`, else that of the repository's profile for the path,
/// else the cluster's. It holds an RSA key and has not expired.
pub(crate) fn find_for(settings: &Settings, path: Option<&Path>) -> Result<Certificate, Failure> {
    let pem = if settings.certificate.is_empty() {
        let profile = Profile::for_path(path.unwrap_or_else(|| Path::new(".")))?;
        match profile
            .as_ref()
            .map(Profile::certificate)
            .transpose()?
            .flatten()
        {
            Some(certificate) => from(&certificate, settings)?,
            None => web::block_on(async {
                Controller::connect(settings, profile.as_ref())
                    .await?
                    .certificate()
                    .await
            })?,
        }
    } else {
        from(&settings.certificate, settings)?
    };
    let certificate = Certificate::from_pem(&pem).map_err(Failure::work)?;
    refuse_expired(&certificate)?;
    Ok(certificate)
}

fn from(certificate: &str, settings: &Settings) -> Result<Vec<u8>, Failure> {
    match Source::of(certificate) {
        Source::File(path) => Ok(files::read(path)?.expose().to_vec()),
        Source::FileUrl(path) => from_file_url(certificate, path),
        Source::Web => web::block_on(web::get(certificate, &settings.environment)),
    }
}

fn refuse_expired(certificate: &Certificate) -> Result<(), Failure> {
    if !certificate.is_expired(SystemTime::now()) {
        return Ok(());
    }
    let day = Timestamp::try_from(certificate.validity().not_after)
        .map(|end| {
            end.to_zoned(TimeZone::UTC)
                .strftime("%B %-d, %Y")
                .to_string()
        })
        .unwrap_or_default();
    Err(Failure::Work(format!(
        "failed to encrypt using an expired certificate on {day}"
    )))
}

/// What the text after `--cert` means (`isFilename` in `pkg/kubeseal/kubeseal.go`).
enum Source<'a> {
    File(&'a Path),
    FileUrl(&'a str),
    Web,
}

impl<'a> Source<'a> {
    fn of(text: &'a str) -> Self {
        match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme, "file") => {
                Self::FileUrl(rest.strip_prefix("//").unwrap_or(rest))
            }
            Some((scheme, _)) if is_scheme(scheme, "http") || is_scheme(scheme, "https") => {
                Self::Web
            }
            _ => Self::File(Path::new(text)),
        }
    }
}

fn is_scheme(text: &str, scheme: &str) -> bool {
    text.eq_ignore_ascii_case(scheme)
}

fn from_file_url(url: &str, path: &str) -> Result<Vec<u8>, Failure> {
    let path = path.strip_prefix("localhost").unwrap_or(path);
    let path = percent_decoded(path)
        .ok_or_else(|| Failure::Work(format!("invalid URL escape in \"{url}\"")))?;
    match files::read(Path::new(&path)) {
        Ok(bytes) => Ok(bytes.expose().to_vec()),
        Err(_) if !Path::new(&path).exists() => Err(Failure::Work(format!(
            "cannot fetch \"{url}\": 404 Not Found"
        ))),
        Err(failure) => Err(failure),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}
