//! Addresses of the loopback network, one for each who asks.
//!
//! All of 127.0.0.0/8 is this machine's, so a port can be had once for each of its addresses. Who has
//! which is kept by the kernel: as a name of a Unix socket, which lives as long as its holder, is seen
//! by every user, and belongs to one network namespace, as addresses do.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// The network from which addresses are given: unlikely to be anybody's choice by hand.
const NETWORK: [u8; 2] = [127, 77];

/// How many addresses there are: neither the first nor the last of a byte.
const COUNT: u32 = 254 * 254;

/// How many are tried before something else must be wrong.
const TRIES: u32 = 1024;

/// An address that is nobody else's among those who ask here.
#[derive(Debug)]
pub struct LoopbackAddress {
    address: Ipv4Addr,
    /// Held, not read.
    _name: OwnedFd,
}

impl LoopbackAddress {
    /// Takes the address that the number stands for, or the next one that is free: the same number
    /// gives the same address as long as nobody has it.
    ///
    /// # Errors
    /// Descriptors are used up, or a sandbox forbids Unix sockets.
    pub fn take(number: u64) -> io::Result<LoopbackAddress> {
        let first = u32::try_from(number % u64::from(COUNT)).unwrap_or_default();
        for step in 0..TRIES {
            let address = address((first + step) % COUNT);
            match claim(address) {
                Ok(name) => return Ok(LoopbackAddress { address, _name: name }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// The address.
    pub fn get(&self) -> Ipv4Addr {
        self.address
    }
}

fn address(index: u32) -> Ipv4Addr {
    let byte = |value: u32| u8::try_from(1 + value % 254).unwrap_or(1);
    Ipv4Addr::new(NETWORK[0], NETWORK[1], byte(index / 254), byte(index))
}

fn claim(address: Ipv4Addr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    let name = SocketAddrUnix::new_abstract_name(format!("wharf/address/{address}").as_bytes())?;
    rustix::net::bind(&socket, &name)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_another_address_and_the_same_one_again() {
        let number = 0x7700_0000 + u64::from(std::process::id());
        let one = LoopbackAddress::take(number).unwrap();
        let two = LoopbackAddress::take(number).unwrap();
        assert_ne!(one.get(), two.get());
        assert_eq!(one.get().octets()[..2], NETWORK);
        let first = one.get();
        drop(one);
        assert_eq!(LoopbackAddress::take(number).unwrap().get(), first);
    }

    #[test]
    fn no_address_is_the_first_or_last_of_a_byte() {
        for index in 0..COUNT {
            let octets = address(index).octets();
            assert!(octets[2..].iter().all(|byte| (1..=254).contains(byte)), "{octets:?}");
        }
    }
}
