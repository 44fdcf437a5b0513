//! How a person looks at the charts: which one, over which axis, how closely, where the crosshair stands.
//! What is shown is in `run` and `series`; keys are in `update::chart`.

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChartView {}
