//! How the program is linked.

#[expect(
    clippy::disallowed_methods,
    reason = "it is how cargo tells what is built for"
)]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // A quarter million pointers are moved to where the program was loaded. Listed one by one they are
    // 1.7 MB, all of it read at the start and resident from then on; packed it is a twentieth. Needs
    // glibc 2.36 (Debian 12), which the image has.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
