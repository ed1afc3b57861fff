//! What the clocks say, as arguments.

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since the Unix epoch. It may jump in either direction.
    pub wall_s: u64,
    /// Milliseconds since boot, time asleep included (`CLOCK_BOOTTIME`). It never jumps.
    pub boot_ms: u64,
}

/// When a lease with a time to live ends. Both clocks are kept, because each is right in one case:
/// the boot clock while the machine stays up, the wall clock across a reboot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// On the boot clock, in milliseconds.
    pub boot_ms: u64,
    /// Which boot that clock counts from.
    pub boot_id: String,
    /// On the wall clock, in seconds.
    pub wall_s: u64,
}

impl Deadline {
    /// The deadline `ttl_s` seconds from now.
    pub fn after(ttl_s: u64, now: Moment, boot_id: &str) -> Deadline {
        Deadline {
            boot_ms: now.boot_ms.saturating_add(ttl_s.saturating_mul(1000)),
            boot_id: boot_id.to_owned(),
            wall_s: now.wall_s.saturating_add(ttl_s),
        }
    }

    /// Whether it has passed, on the boot clock alone.
    pub fn has_passed(&self, now: Moment) -> bool {
        now.boot_ms >= self.boot_ms
    }

    /// The same deadline on this boot's clock. After a reboot what remains is read from the wall
    /// clock, but never more than the whole `ttl_s`: the clock may have been set back meanwhile.
    pub fn on_this_boot(self, ttl_s: u64, now: Moment, boot_id: &str) -> Deadline {
        if self.boot_id == boot_id {
            return self;
        }
        let remaining = self.wall_s.saturating_sub(now.wall_s).min(ttl_s);
        Deadline::after(remaining, now, boot_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment { wall_s: 1_000_000, boot_ms: 50_000 };

    #[test]
    fn the_wall_clock_moves_no_deadline_while_the_machine_is_up() {
        let deadline = Deadline::after(60, NOW, "a");
        for wall_s in [0, NOW.wall_s - 3600, NOW.wall_s + 400 * 86_400] {
            let now = Moment { wall_s, boot_ms: NOW.boot_ms + 59_999 };
            assert!(!deadline.has_passed(now));
            assert_eq!(deadline.clone().on_this_boot(60, now, "a"), deadline);
        }
        assert!(deadline.has_passed(Moment { wall_s: 0, boot_ms: NOW.boot_ms + 60_000 }));
    }

    #[test]
    fn after_a_reboot_the_remainder_counts_and_is_never_more_than_the_whole() {
        let remaining = |wall_s| {
            let now = Moment { wall_s, boot_ms: 10 };
            Deadline::after(60, NOW, "a").on_this_boot(60, now, "b").boot_ms - now.boot_ms
        };
        assert_eq!(remaining(NOW.wall_s + 20), 40_000);
        assert_eq!(remaining(NOW.wall_s + 400 * 86_400), 0);
        assert_eq!(remaining(NOW.wall_s - 86_400), 60_000);
    }
}
