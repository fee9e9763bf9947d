//! What this machine is: the one file of the room that reads the system.
//!
//! It reads the environment and a few files of the operating system; where those do not say, it asks one of its commands. What
//! cannot be found out stays empty, and never changes by itself: an instance id that wavers would be a new instance at every start.

use std::env::{self, consts};
use std::fs;
use std::process::{Command, Stdio};

use super::instance::{SystemFacts, hashed_identifier};

impl SystemFacts {
    /// Gathers what this machine says of itself. **Impure**: reads environment and files, and may run a command of the system.
    pub fn read() -> Self {
        let release = file("/proc/sys/kernel/osrelease").unwrap_or_default();
        let platform = [consts::OS, &release, consts::ARCH];
        let facts = Self {
            platform: platform.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
            hostname: hostname().unwrap_or_default(),
            sysversion: concat!("morango for Rust ", env!("CARGO_PKG_VERSION")).to_owned(),
            system_id: hashed_identifier(&system_serial().unwrap_or_default()),
            node_id: hashed_identifier(&network_card().unwrap_or_default()),
        };
        facts.with_overrides(&|name| env::var(name).ok())
    }
}

/// The trimmed text of a small file, unless it is missing or empty.
fn file(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What a command of the system prints, unless it fails.
fn output_of(command: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(command).args(arguments).stdin(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok().filter(|_| output.status.success())
}

fn hostname() -> Option<String> {
    let variable = || env::var("COMPUTERNAME").or_else(|_| env::var("HOSTNAME")).ok();
    let command = || output_of("hostname", &[]).map(|text| text.trim().to_owned());
    file("/proc/sys/kernel/hostname").or_else(|| file("/etc/hostname")).or_else(variable).or_else(command)
}

/// The id that the operating system gave to this installation.
fn system_serial() -> Option<String> {
    match consts::OS {
        "macos" => apple_serial(&output_of("ioreg", &["-rd1", "-c", "IOPlatformExpertDevice"])?),
        "windows" => {
            let key = r"HKLM\SOFTWARE\Microsoft\Cryptography";
            windows_serial(&output_of("reg", &["query", key, "/v", "MachineGuid"])?)
        }
        "android" => ["ro.serialno", "ro.boot.serialno"].iter().find_map(|name| {
            output_of("getprop", &[name]).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        }),
        _ => file("/etc/machine-id").or_else(|| file("/var/lib/dbus/machine-id")),
    }
}

/// The value in the line `"IOPlatformUUID" = "…"`.
fn apple_serial(listing: &str) -> Option<String> {
    let line = listing.lines().find(|line| line.contains("\"IOPlatformUUID\""))?;
    line.rsplit('"').nth(1).map(str::to_owned)
}

/// The value in the line `MachineGuid    REG_SZ    …`.
fn windows_serial(listing: &str) -> Option<String> {
    let line = listing.lines().find(|line| line.contains("MachineGuid"))?;
    line.split_whitespace().last().map(str::to_owned)
}

/// The address of the network card that is least likely to be taken out: wired before wireless, then by name.
fn network_card() -> Option<String> {
    let mut cards = Vec::new();
    for entry in fs::read_dir("/sys/class/net").ok()?.flatten() {
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if let Some(address) = file(&entry.path().join("address").to_string_lossy())
            && is_burnt_in(&address)
        {
            cards.push((card_rank(&name), name, address));
        }
    }
    cards.into_iter().min().map(|(_, _, address)| address)
}

fn card_rank(name: &str) -> u8 {
    match name {
        _ if name.starts_with("eth") || name.starts_with("en") => 0,
        _ if name.starts_with("wl") => 1,
        _ => 2,
    }
}

/// Whether an address came with the card: neither nought, nor a group's, nor one that software made up.
fn is_burnt_in(address: &str) -> bool {
    let bytes: Option<Vec<u8>> = address.split(':').map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
    let Some(bytes) = bytes.filter(|bytes| bytes.len() == 6) else {
        return false;
    };
    let (is_group, is_made_up) = (bytes[0] & 1 != 0, bytes[0] & 2 != 0);
    !is_group && !is_made_up && bytes.iter().any(|byte| *byte != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_says_the_same_of_itself_twice() {
        let facts = SystemFacts::read();
        assert_eq!(facts, SystemFacts::read());
        assert!(facts.platform.starts_with(consts::OS), "{facts:?}");
        for id in [&facts.system_id, &facts.node_id] {
            assert!(id.is_empty() || id.len() == 20, "{facts:?}");
        }
    }

    #[test]
    fn only_an_address_that_came_with_the_card_counts() {
        assert!(is_burnt_in("00:1b:21:3c:4d:5e"));
        for made_up in ["00:00:00:00:00:00", "02:42:ac:11:00:02", "01:00:5e:00:00:01", "lo", "", "00:1b:21"] {
            assert!(!is_burnt_in(made_up), "{made_up}");
        }
        assert!(card_rank("enp3s0") < card_rank("wlan0") && card_rank("wlan0") < card_rank("usb0"));
    }

    #[test]
    fn the_serial_is_found_in_what_other_systems_print() {
        let apple = "+-o Mac\n  {\n    \"IOPlatformSerialNumber\" = \"C02\"\n    \"IOPlatformUUID\" = \"1234-AB\"\n  }";
        assert_eq!(apple_serial(apple).as_deref(), Some("1234-AB"));
        let windows = "\r\nHKEY_LOCAL_MACHINE\\…\r\n    MachineGuid    REG_SZ    5678-CD\r\n\r\n";
        assert_eq!(windows_serial(windows).as_deref(), Some("5678-CD"));
        assert_eq!(apple_serial("nothing"), None);
    }
}
