//! The controller: arguments, wiring, HTTP.

fn main() {}
