//! What the benchmark prints.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is its purpose"
)]

/// What was measured until now.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 5]>,
}

/// A measured quantity with its unit.
#[derive(Clone, Copy)]
pub(crate) struct Quantity {
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

impl Quantity {
    pub(crate) fn seconds(value: f64) -> Self {
        Self { value, unit: "s" }
    }

    /// Of so many KiB.
    pub(crate) fn mebibytes(kibibytes: u64) -> Self {
        let value = u32::try_from(kibibytes).map_or(0.0, f64::from) / 1_024.0;
        Self { value, unit: "MiB" }
    }
}

impl Table {
    /// Adds a line, and shows it on standard error. `incumbent` is missing where there is nothing to compare with; the budget is the
    /// design's, in words.
    pub(crate) fn add(
        &mut self,
        what: &str,
        incumbent: Option<Quantity>,
        ours: Quantity,
        budget: &str,
    ) {
        let show = |quantity: Quantity| format!("{:.1} {}", quantity.value, quantity.unit);
        let ratio = incumbent.map(|theirs| format!("{:.1} x", theirs.value / ours.value));
        let row = [
            what.to_owned(),
            incumbent.map_or_else(|| String::from("-"), show),
            show(ours),
            ratio.unwrap_or_else(|| String::from("-")),
            budget.to_owned(),
        ];
        // At once, so that a run of many minutes that is ended early has not been for nothing.
        eprintln!("{}", line(&row));
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        if self.rows.is_empty() {
            return;
        }
        let head = ["", "incumbent", "Signet", "less by", "budget"].map(str::to_owned);
        println!();
        for row in std::iter::once(&head).chain(&self.rows) {
            println!("{}", line(row));
        }
    }
}

fn line([what, incumbent, ours, ratio, budget]: &[String; 5]) -> String {
    format!("{what:<44} {incumbent:>12} {ours:>12} {ratio:>9}   {budget}")
}

/// Prints a line of a report that is no line of the table.
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Says on standard error why there is nothing more to see.
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}
