//! The addresses of this machine's network interfaces that other machines of the local network reach.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::ptr;

/// Where the kernel tells of interfaces.
const SYSFS: &str = "/sys/class/net";

/// Every address by which machines of the local networks reach this one: IPv4, and IPv6 that is unique
/// (global or `fc00::/7`). A link-local IPv6 address is no address without the name of the client's own
/// interface, so it is none of them. Neither are those of interfaces that are down, of tunnels and VPNs
/// (point to point: whoever is at their other end is on no local network), and of bridges between this
/// machine and its own containers and virtual machines.
///
/// # Errors
/// The system does not tell.
pub fn lan_addresses() -> io::Result<BTreeSet<IpAddr>> {
    let is_inner = |name: &str| is_inner_bridge(Path::new(SYSFS), name);
    let found = all()?.into_iter().filter(|one| is_lan(one) && !is_inner(&one.name));
    Ok(found.map(|one| one.address).collect())
}

/// One address of an interface.
#[derive(Debug)]
struct Assigned {
    name: String,
    /// As in `netdevice(7)`.
    flags: i32,
    address: IpAddr,
}

fn is_lan(one: &Assigned) -> bool {
    let up = libc::IFF_UP | libc::IFF_RUNNING;
    let elsewhere = libc::IFF_LOOPBACK | libc::IFF_POINTOPOINT;
    let unique = match one.address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_unspecified(),
        IpAddr::V6(address) => {
            !address.is_loopback()
                && !address.is_unspecified()
                && !address.is_unicast_link_local()
                && !address.is_multicast()
        }
    };
    one.flags & up == up && one.flags & elsewhere == 0 && unique
}

/// Whether it is a bridge to which no hardware belongs: Docker's, libvirt's, LXC's. One with a network card
/// in it is this machine's way to its network.
fn is_inner_bridge(sysfs: &Path, name: &str) -> bool {
    let interface = sysfs.join(name);
    if !interface.join("bridge").exists() {
        return false;
    }
    let members = fs::read_dir(interface.join("brif")).into_iter().flatten().flatten();
    !members.map(|member| member.file_name()).any(|name| sysfs.join(name).join("device").exists())
}

fn all() -> io::Result<Vec<Assigned>> {
    let mut list: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: `list` is a valid place for the pointer that the call writes.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next: *const libc::ifaddrs = list;
    // SAFETY: each node is null or one of the list's, which lives until `freeifaddrs` below.
    while let Some(node) = unsafe { next.as_ref() } {
        next = node.ifa_next;
        // SAFETY: the address of a node is null or a socket address of the family that it tells.
        if let Some(address) = unsafe { ip(node.ifa_addr) } {
            // SAFETY: every node has a name that ends with a zero, and lives as long as the list.
            let name = unsafe { CStr::from_ptr(node.ifa_name) }.to_string_lossy().into_owned();
            // The kernel's flags have 16 bits that matter here; the rest of the field is theirs too.
            found.push(Assigned { name, flags: node.ifa_flags.cast_signed(), address });
        }
    }
    // SAFETY: the list came from `getifaddrs`, is freed once, and no reference into it is left.
    unsafe { libc::freeifaddrs(list) };
    Ok(found)
}

/// The address, where it is one of IP.
///
/// # Safety
/// `address` is null, or points to a socket address of the family that stands in it.
unsafe fn ip(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller's promise.
    let family = i32::from(unsafe { address.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: the caller's promise: the family says that it is a `sockaddr_in`. Read without regard
            // to how it is aligned.
            let address = unsafe { ptr::read_unaligned(address.cast::<libc::sockaddr_in>()) };
            Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above, with a `sockaddr_in6`.
            let address = unsafe { ptr::read_unaligned(address.cast::<libc::sockaddr_in6>()) };
            Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(flags: i32, address: &str) -> bool {
        let address = address.parse().unwrap();
        is_lan(&Assigned { name: "x".into(), flags, address })
    }

    #[test]
    fn what_others_on_the_local_network_reach_and_nothing_else() {
        let up = libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_BROADCAST;
        for lan in ["192.168.1.4", "10.0.0.1", "169.254.3.4", "fd00::1", "2001:db8::1"] {
            assert!(with(up, lan), "{lan}");
            assert!(!with(libc::IFF_UP, lan), "no cable: {lan}");
            assert!(!with(up | libc::IFF_POINTOPOINT, lan), "a tunnel: {lan}");
        }
        for not in ["127.0.0.1", "127.3.4.5", "0.0.0.0", "::1", "fe80::1"] {
            assert!(!with(up, not), "{not}");
        }
        assert!(!with(up | libc::IFF_LOOPBACK, "10.0.0.1"), "an address on `lo`");
    }

    #[test]
    fn a_bridge_counts_if_hardware_is_in_it() {
        let sysfs = tempfile::tempdir().unwrap();
        let make = |path: &str| fs::create_dir_all(sysfs.path().join(path)).unwrap();
        make("docker0/bridge");
        make("docker0/brif/veth1");
        make("veth1");
        make("br0/bridge");
        make("br0/brif/eth0");
        make("eth0/device");
        let inner = |name: &str| is_inner_bridge(sysfs.path(), name);
        assert!(inner("docker0"));
        assert!(!inner("br0") && !inner("eth0") && !inner("veth1") && !inner("unknown"));
    }

    #[test]
    fn this_machine_has_a_loopback_that_is_no_lan() {
        assert!(all().unwrap().iter().any(|one| one.address.is_loopback()));
        assert!(lan_addresses().unwrap().iter().all(|address| !address.is_loopback()));
    }
}
