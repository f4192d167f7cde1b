//! T43: whether the time of an opening that fails tells why it failed (RUSTSEC-2023-0071, "Marvin").
//!
//! After dudect: the classes take turns at random, each pair is compared with Welch's t-test, on all
//! samples and on those below a quantile of both (a preempted sample says nothing). A difference
//! counts from |t| = 4.5. It is a report and not a test: a busy machine can only hide a difference,
//! so there is a control that must be found.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use keys::{KeyPair, KeySize, Keyring, Label, Scope, Validity, seal};
use tests::Failure;

use crate::table;

/// Openings of each class.
const SAMPLES: usize = 20_000;

/// Different items of each class: no single ciphertext decides.
const ITEMS: usize = 200;

/// From here on, dudect calls it a leak.
const THRESHOLD: f64 = 4.5;

/// The quantile above which samples are the machine's and not the code's.
const CROP: usize = 90;

/// What was sealed, in bytes; the control's is longer.
const PLAINTEXT: usize = 32;
const PLAINTEXT_OF_CONTROL: usize = 16 << 10;

const CLASSES: [&str; 6] = [
    "another label",
    "another label, again",
    "RSA part with one bit flipped",
    "RSA part at random",
    "tag with one bit flipped",
    "control: a longer message",
];

/// Measures, and prints each class against the first.
pub(crate) fn report() -> Result<(), Failure> {
    let bench = Bench::new()?;
    let samples = bench.measure()?;
    let limit = quantile(&samples, CROP);
    table::say(&format!(
        "openings that fail, {SAMPLES} each of {} items, against \"{}\": a leak is |t| > {THRESHOLD}",
        ITEMS, CLASSES[0]
    ));
    table::say(&format!(
        "{:<32} {:>10} {:>9} {:>9} {:>14}",
        "", "mean", "samples", "t", "t below 90 %"
    ));
    let [reference, ..] = &samples;
    for (name, class) in CLASSES.iter().zip(&samples) {
        let (whole, kept) = (Moments::of(class, f64::MAX), Moments::of(class, limit));
        let (against, against_kept) = (
            Moments::of(reference, f64::MAX),
            Moments::of(reference, limit),
        );
        table::say(&format!(
            "{name:<32} {:>7.1} us {:>9} {:>9.2} {:>14.2}",
            whole.mean,
            class.len(),
            whole.welch(&against),
            kept.welch(&against_kept),
        ));
    }
    Ok(())
}

struct Bench {
    keyring: Keyring,
    label: Label,
    items: [Vec<Vec<u8>>; CLASSES.len()],
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        let now = SystemTime::now();
        let validity = Validity::starting(now, Duration::from_secs(86_400));
        let pair = KeyPair::generate(KeySize::Bits2048, validity, "")?;
        let label = Label::new(Scope::Strict, "shop", "db");
        let other = Label::new(Scope::Strict, "shop", "dc");
        let sealed =
            |label: &Label, length: usize| seal(pair.public_key(), label, &vec![7; length]);
        let mut items: [Vec<Vec<u8>>; CLASSES.len()] = Default::default();
        let [label_, again, flipped, random, tag, control] = &mut items;
        for _item in 0..ITEMS {
            label_.push(sealed(&other, PLAINTEXT)?);
            again.push(sealed(&other, PLAINTEXT)?);
            let mut item = sealed(&label, PLAINTEXT)?;
            // The last bit of the RSA part: what is opened stays below the modulus.
            item[RSA_END - 1] ^= 1;
            flipped.push(item);
            let mut item = sealed(&label, PLAINTEXT)?;
            fill(&mut item[LENGTH_BYTES + 1..RSA_END])?;
            item[LENGTH_BYTES] = 0;
            random.push(item);
            let mut item = sealed(&label, PLAINTEXT)?;
            if let Some(last) = item.last_mut() {
                *last ^= 1;
            }
            tag.push(item);
            control.push(sealed(&other, PLAINTEXT_OF_CONTROL)?);
        }
        let mut keyring = Keyring::new();
        keyring.insert(pair, now);
        Ok(Self {
            keyring,
            label,
            items,
        })
    }

    /// The times of each class in microseconds.
    fn measure(&self) -> Result<[Vec<f64>; CLASSES.len()], Failure> {
        let mut samples: [Vec<f64>; CLASSES.len()] = Default::default();
        let mut order: Vec<usize> = (0..CLASSES.len()).collect();
        for round in 0..SAMPLES {
            shuffle(&mut order)?;
            for &class in &order {
                let item = &self.items[class][round % ITEMS];
                let started = Instant::now();
                let opened = black_box(self.keyring.open(black_box(item), &self.label, None));
                let took = started.elapsed();
                if opened.is_ok() {
                    return Err(Failure::new(format!("{} opens", CLASSES[class])));
                }
                samples[class].push(took.as_secs_f64() * 1e6);
            }
        }
        Ok(samples)
    }
}

/// An item begins with the length of its RSA part, 256 bytes with this key.
const LENGTH_BYTES: usize = 2;
const RSA_END: usize = LENGTH_BYTES + 256;

fn fill(bytes: &mut [u8]) -> Result<(), Failure> {
    aws_lc_rs::rand::fill(bytes).map_err(|_unspecified| Failure::new("no random numbers"))
}

/// Fisher and Yates; so few that the bias of a remainder does not matter.
fn shuffle(order: &mut [usize]) -> Result<(), Failure> {
    let mut random = [0; CLASSES.len()];
    fill(&mut random)?;
    for last in (1..order.len()).rev() {
        order.swap(last, usize::from(random[last]) % (last + 1));
    }
    Ok(())
}

/// The value that so many of a hundred samples of all classes do not exceed.
fn quantile(samples: &[Vec<f64>], percent: usize) -> f64 {
    let mut all: Vec<f64> = samples.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() * percent / 100)
        .copied()
        .unwrap_or(f64::MAX)
}

/// What Welch's test needs of a sample.
struct Moments {
    mean: f64,
    /// The variance of the mean.
    variance: f64,
}

impl Moments {
    fn of(samples: &[f64], limit: f64) -> Self {
        let kept = || samples.iter().filter(move |sample| **sample <= limit);
        let count: f64 = kept().map(|_sample| 1.0).sum();
        let mean = kept().sum::<f64>() / count;
        let squares: f64 = kept().map(|sample| (sample - mean).powi(2)).sum();
        Self {
            mean,
            variance: squares / (count - 1.0) / count,
        }
    }

    fn welch(&self, other: &Self) -> f64 {
        (self.mean - other.mean) / (self.variance + other.variance).sqrt()
    }
}
