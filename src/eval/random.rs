//! numpy's `default_rng`: the same numbers from the same seed, as far as sacrebleu's tests draw them. Nothing else in finetop draws from it.
//! Sources: O'Neill 2014, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms" (PCG64 XSL-RR); numpy's NEP 19 and
//! `SeedSequence`; Lemire 2019, "Fast Random Integer Generation in an Interval".

const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

/// A PCG64 generator that hands out 32 bits at a time, the lower half of each draw first.
pub struct Generator {
    state: u128,
    increment: u128,
    upper_half: Option<u32>,
}

impl Generator {
    /// `numpy.random.default_rng(seed)`.
    pub fn seeded(seed: u64) -> Self {
        let words = spread(seed);
        let wide = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let increment = wide(words[2], words[3]) << 1 | 1;
        let state = increment.wrapping_add(wide(words[0], words[1])).wrapping_mul(MULTIPLIER).wrapping_add(increment);
        Generator { state, increment, upper_half: None }
    }

    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    fn next_u32(&mut self) -> u32 {
        if let Some(half) = self.upper_half.take() {
            return half;
        }
        let both = self.next_u64();
        self.upper_half = Some((both >> 32) as u32);
        both as u32
    }

    /// Fills with numbers below `below`, which is at least 1 and less than 2^32: `integers(0, below)`, and so `choice(below)`.
    pub fn fill_below(&mut self, below: u32, numbers: &mut [u32]) {
        if below <= 1 {
            return numbers.fill(0);
        }
        // Products whose lower half is among the first so many would make some numbers likelier than others.
        let refused = below.wrapping_neg() % below;
        for number in numbers {
            let mut product = u64::from(self.next_u32()) * u64::from(below);
            while (product as u32) < refused {
                product = u64::from(self.next_u32()) * u64::from(below);
            }
            *number = (product >> 32) as u32;
        }
    }
}

/// `integers(2, dtype=bool)`: single bits, the lowest of each 32 first.
pub struct Coins {
    generator: Generator,
    bits: u32,
    left: u32,
}

impl Coins {
    pub fn seeded(seed: u64) -> Self {
        Coins { generator: Generator::seeded(seed), bits: 0, left: 0 }
    }

    pub fn flip(&mut self) -> bool {
        if self.left == 0 {
            (self.bits, self.left) = (self.generator.next_u32(), 32);
        }
        let heads = self.bits & 1 == 1;
        (self.bits, self.left) = (self.bits >> 1, self.left - 1);
        heads
    }
}

/// numpy's `SeedSequence(seed).generate_state(4, uint64)`.
fn spread(seed: u64) -> [u64; 4] {
    let mut constant = 0x43b0_d7e5u32;
    let mut hash = |value: u32| {
        let mixed = value ^ constant;
        constant = constant.wrapping_mul(0x931e_8875);
        let mixed = mixed.wrapping_mul(constant);
        mixed ^ mixed >> 16
    };
    let mix = |x: u32, y: u32| {
        let mixed = 0xca01_f9ddu32.wrapping_mul(x).wrapping_sub(0x4973_f715u32.wrapping_mul(y));
        mixed ^ mixed >> 16
    };
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(&mut hash);
    for from in 0..4 {
        for to in (0..4).filter(|to| *to != from) {
            pool[to] = mix(pool[to], hash(pool[from]));
        }
    }
    let mut constant = 0x8b51_f9ddu32;
    let mut halves = [0u32; 8];
    for (at, half) in halves.iter_mut().enumerate() {
        let mixed = pool[at % 4] ^ constant;
        constant = constant.wrapping_mul(0x58f3_8ded);
        let mixed = mixed.wrapping_mul(constant);
        *half = mixed ^ mixed >> 16;
    }
    std::array::from_fn(|at| u64::from(halves[2 * at + 1]) << 32 | u64::from(halves[2 * at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_numpy() {
        let mut numbers = [0; 8];
        Generator::seeded(12345).fill_below(630, &mut numbers);
        assert_eq!(numbers, CHOICE);
        let mut coins = Coins::seeded(12345);
        let flips: Vec<u8> = (0..40).map(|_| coins.flip().into()).collect();
        assert_eq!(flips, COINS);
        Generator::seeded(1 << 40).fill_below(1000, &mut numbers);
        assert_eq!(numbers, LARGE_SEED);
    }

    // numpy 2.4.6
    const CHOICE: [u32; 8] = [440, 143, 496, 199, 128, 502, 404, 426];
    const COINS: [u8; 40] = [
        1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0,
        0, 0, 1,
    ];
    const LARGE_SEED: [u32; 8] = [922, 360, 379, 628, 793, 995, 315, 157];
}
