//! The fuzz targets of `keys` and `document` for as long as `make soak` has: no panic, no hang. The same
//! targets run on a few hundred cases each in the crates' own tests.

#![cfg(feature = "soak")]

use std::time::{Duration, Instant, SystemTime};

use document::fuzz as documents;
use keys::{KeyPair, Keyring, fuzz as keys_and_items};
use tests::Failure;

/// How long each target is fed.
const TIME: Duration = Duration::from_secs(300);
/// No case may take longer. The targets read at most a few hundred KiB.
const LONGEST_CASE: Duration = Duration::from_secs(5);
/// What a mutated text may grow to.
const MAX_BYTES: usize = 1 << 18;

const SEALED: &str = "\
# mine
kind: SealedSecret
apiVersion: bitnami.com/v1alpha1
metadata:
  name: db   # here
  namespace: shop
spec:
  encryptedData:
    a: \"AAA=\"
    b: >-
      AA
      A=
    ? long
    : AAA=
  template: &t {metadata: {labels: {app: db}}, type: Opaque}
x: *t
---
kind: ConfigMap
data: {a: b}
";
const SECRETS: &str = "\
apiVersion: v1
kind: Secret
data: {a: eA==}
stringData:
  b: |
    text
---
{\"kind\": \"List\", \"items\": [{\"kind\": \"Secret\", \"data\": {}}]}
";
const NOTES: &str = "\
# form
a:
b: \"x\"
{\"a\":{\"key\":\"SHA256:x\",\"label\":\"l\",\"digest\":\"d\"}}
{\"keys\":[{\"fingerprint\":\"x\",\"state\":\"current\",\"notBefore\":\"\",\"notAfter\":\"\"}]}
";

#[test]
fn streams() {
    let cases = feed(&[SEALED.as_bytes(), SECRETS.as_bytes()], documents::stream);
    eprintln!("streams: {cases} cases");
}

#[test]
fn edits() {
    let cases = feed(&[SEALED.as_bytes()], documents::editor);
    eprintln!("edits: {cases} cases");
}

#[test]
fn notes() {
    let cases = feed(&[NOTES.as_bytes()], documents::notes);
    eprintln!("notes: {cases} cases");
}

#[test]
fn keys_and_certificates() -> Result<(), Failure> {
    let seeds = key_seeds()?;
    let seeds: Vec<&[u8]> = seeds.iter().map(String::as_bytes).collect();
    let cases = feed(&seeds, keys_and_items::keys);
    eprintln!("keys and certificates: {cases} cases");
    Ok(())
}

#[test]
fn items() -> Result<(), Failure> {
    let vectors = vectors()?;
    let text = |pointer: &str| {
        vectors
            .pointer(pointer)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let pair = KeyPair::from_pem(
        text("/keys/0/pkcs1").as_bytes(),
        text("/keys/0/certificate").as_bytes(),
    )?;
    let mut ring = Keyring::new();
    ring.insert(pair, SystemTime::UNIX_EPOCH);
    let item = text("/vectors/1/item");
    let cases = feed(&[item.as_bytes()], |bytes| {
        keys_and_items::items(&ring, bytes);
    });
    eprintln!("items: {cases} cases");
    Ok(())
}

fn vectors() -> Result<serde_json::Value, Failure> {
    Ok(serde_json::from_str(include_str!(
        "../vectors/sealing.json"
    ))?)
}

fn key_seeds() -> Result<Vec<String>, Failure> {
    let vectors = vectors()?;
    let texts = ["/keys/0/certificate", "/keys/0/pkcs1", "/keys/0/pkcs8"];
    let text = |pointer: &&str| vectors.pointer(pointer)?.as_str().map(str::to_owned);
    Ok(texts.iter().filter_map(text).collect())
}

/// Feeds a target with mutations of the seeds until the time is over. The seed of the generator is
/// printed when a case fails, with the case itself. Returns how many cases there were.
fn feed(seeds: &[&[u8]], target: impl Fn(&[u8])) -> u64 {
    let seed = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(1, |time| time.as_nanos() as u64);
    let mut random = Random(seed);
    let mut corpus: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_vec()).collect();
    let start = Instant::now();
    let mut cases = 0_u64;
    while start.elapsed() < TIME {
        let which = random.below(corpus.len());
        let case = random.mutate(&corpus[which]);
        let began = Instant::now();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&case)));
        let took = began.elapsed();
        let shown = String::from_utf8_lossy(&case).escape_debug().to_string();
        assert!(outcome.is_ok(), "generator {seed}, case {cases}: {shown}");
        assert!(
            took < LONGEST_CASE,
            "generator {seed}, case {cases} took {} ms: {shown}",
            took.as_millis()
        );
        // Some mutations are kept, so that the next ones go further.
        if cases.is_multiple_of(64) && corpus.len() < 256 {
            corpus.push(case);
        }
        cases += 1;
    }
    assert!(cases > 1000, "only {cases} cases");
    cases
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap_or(0)
    }

    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        const SPICE: &[u8] = b" \n\t:-#&*!|>'\"{}[],?%@a1\r=~\xff\0+/A";
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len());
            let spice = SPICE[self.below(SPICE.len())];
            match self.below(6) {
                0 => bytes.insert(at, spice),
                1 if !bytes.is_empty() => bytes[at] = spice,
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                3 => bytes.truncate(at),
                4 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                _ => {
                    let end = at + self.below(bytes.len() - at + 1);
                    let part = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, part);
                }
            }
        }
        bytes.truncate(MAX_BYTES);
        bytes
    }
}
