//! A quantity by step, bounded in memory: neighbours are merged into buckets that keep their lowest and highest value, so that no
//! spike is lost however long a run gets. What the values mean is the business of `run`; how they are drawn, of `widgets::chart`.

/// Buckets that a series holds before neighbours are merged; up to here each point is a bucket of its own.
pub const MAX_BUCKETS: usize = 1 << 17;

/// A run whose numbers are no numbers ends soon; a log that goes on with them is bounded here.
const MAX_NOT_FINITE: usize = 256;

/// One or more neighbouring points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The x of the first and of the last point in it.
    pub first: u64,
    pub last: u64,
    pub min: f32,
    pub max: f32,
    /// The values of the first and of the last point, where a line enters and leaves.
    pub open: f32,
    pub close: f32,
    /// Of all points in it.
    pub mean: f32,
    pub points: u32,
}

impl Bucket {
    fn point(x: u64, y: f32) -> Self {
        Bucket { first: x, last: x, min: y, max: y, open: y, close: y, mean: y, points: 1 }
    }

    fn merge(&mut self, later: Bucket) {
        self.last = later.last;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.close = later.close;
        let points = self.points + later.points;
        self.mean += (later.mean - self.mean) * (later.points as f32 / points as f32);
        self.points = points;
    }
}

/// Points in the order of their x.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    buckets: Vec<Bucket>,
    limit: usize,
    points_per_bucket: usize,
    points_in_last: usize,
    not_finite: Vec<(u64, f32)>,
}

impl Default for Series {
    fn default() -> Self {
        Series::with_limit(MAX_BUCKETS)
    }
}

impl Series {
    /// A series that merges neighbours when it holds `limit` buckets (at least 2).
    pub fn with_limit(limit: usize) -> Self {
        Series {
            buckets: Vec::new(),
            limit: limit.max(2),
            points_per_bucket: 1,
            points_in_last: 0,
            not_finite: Vec::new(),
        }
    }

    /// A series of these points.
    pub fn of(points: impl IntoIterator<Item = (u64, f64)>) -> Self {
        let mut series = Series::default();
        points.into_iter().for_each(|(x, y)| series.push(x, y));
        series
    }

    /// Adds a point. One that lies before the last one has no place on a line and is left out; one that is not finite is kept aside.
    pub fn push(&mut self, x: u64, y: f64) {
        if self.buckets.last().is_some_and(|b| x < b.last) {
            return;
        }
        // Beyond an f32 it has no place either.
        if !(y as f32).is_finite() {
            if self.not_finite.len() < MAX_NOT_FINITE {
                self.not_finite.push((x, y as f32));
            }
            return;
        }
        let point = Bucket::point(x, y as f32);
        match self.buckets.last_mut() {
            Some(last) if self.points_in_last < self.points_per_bucket => {
                last.merge(point);
                self.points_in_last += 1;
            }
            _ => {
                if self.buckets.len() >= self.limit {
                    self.halve();
                }
                self.buckets.push(point);
                self.points_in_last = 1;
            }
        }
    }

    /// Drops what lies wholly beyond `x`, as when a run goes on from an earlier checkpoint.
    pub fn truncate_after(&mut self, x: u64) {
        self.not_finite.retain(|(at, _)| *at <= x);
        let keep = self.buckets.partition_point(|b| b.first <= x);
        if keep < self.buckets.len() {
            self.buckets.truncate(keep);
            // The bucket that is now last is full: the next point opens a new one.
            self.points_in_last = self.points_per_bucket;
        }
    }

    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Points that are no numbers, or infinite, with their x: the first ones.
    pub fn not_finite(&self) -> &[(u64, f32)] {
        &self.not_finite
    }

    /// All points at `x`, and what was merged with them.
    pub fn all_at(&self, x: u64) -> Option<Bucket> {
        let from = self.buckets.partition_point(|b| b.last < x);
        let mut here = self.buckets[from..].iter().take_while(|b| b.first <= x);
        let first = *here.next()?;
        Some(here.fold(first, |mut all, &bucket| {
            all.merge(bucket);
            all
        }))
    }

    /// The bucket that holds `x`, or the last one before it.
    pub fn at(&self, x: u64) -> Option<&Bucket> {
        let behind = self.buckets.partition_point(|b| b.first <= x);
        self.buckets.get(behind.checked_sub(1)?)
    }

    pub fn first(&self) -> Option<f64> {
        self.buckets.first().map(|b| f64::from(b.open))
    }

    pub fn last(&self) -> Option<f64> {
        self.buckets.last().map(|b| f64::from(b.close))
    }

    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The x of the first and of the last point.
    pub fn span(&self) -> Option<(u64, u64)> {
        Some((self.buckets.first()?.first, self.buckets.last()?.last))
    }

    fn halve(&mut self) {
        let mut merged = Vec::with_capacity(self.limit);
        for pair in self.buckets.chunks(2) {
            let mut bucket = pair[0];
            if let Some(&later) = pair.get(1) {
                bucket.merge(later);
            }
            merged.push(bucket);
        }
        self.buckets = merged;
        self.points_per_bucket *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_survives_every_merge() {
        let mut series = Series::with_limit(16);
        for x in 0..10_000 {
            series.push(x, if x == 4321 { 99.0 } else { 1.0 });
        }
        assert!(series.buckets().len() <= 16);
        let spike = series.buckets().iter().find(|b| b.max == 99.0).expect("the spike is kept");
        assert!((spike.first..=spike.last).contains(&4321));
        assert_eq!(series.span(), Some((0, 9_999)));
    }

    #[test]
    fn a_hundred_thousand_steps_keep_each_point() {
        let mut series = Series::default();
        (1..=100_000).for_each(|x| series.push(x, x as f64));
        assert_eq!(series.buckets().len(), 100_000);
        assert_eq!(series.last(), Some(100_000.0));
    }

    #[test]
    fn points_beyond_a_resumed_step_go() {
        let mut series = Series::default();
        (1..=10).for_each(|x| series.push(x, x as f64));
        series.truncate_after(4);
        series.push(5, 50.0);
        assert_eq!(series.buckets().len(), 5);
        assert_eq!(series.last(), Some(50.0));
    }

    #[test]
    fn what_is_not_finite_is_kept_aside_and_what_is_out_of_order_is_left_out() {
        let mut series = Series::default();
        series.push(2, 1.0);
        series.push(1, 5.0);
        series.push(3, f64::INFINITY);
        assert_eq!(series.buckets().len(), 1);
        assert_eq!(series.not_finite(), [(3, f32::INFINITY)]);
        series.truncate_after(2);
        assert_eq!(series.not_finite(), []);
    }

    #[test]
    fn a_bucket_knows_the_mean_of_its_points_and_is_found_by_any_of_them() {
        let mut series = Series::with_limit(4);
        (1..=8).for_each(|x| series.push(x, x as f64));
        let bucket = series.at(4).expect("4 is in a bucket");
        assert_eq!((bucket.first, bucket.last, bucket.mean, bucket.points), (3, 4, 3.5, 2));
        assert_eq!(series.at(0), None);
        assert_eq!(series.at(99).map(|b| b.close), Some(8.0));
        let micros = Series::of([(1, 2.0), (2, 1.0), (2, 9.0), (2, 1.5), (3, 4.0)]);
        assert_eq!(micros.all_at(2).map(|b| (b.min, b.max, b.points)), Some((1.0, 9.0, 3)));
        assert_eq!(micros.all_at(4), None);
    }
}
