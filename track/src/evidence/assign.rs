//! The assignment problem: the cheapest way to give each row a column of its own.

/// For each row its column. `cost(row, column)`; there are at least as many columns as rows.
pub fn cheapest(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    // The Hungarian method with potentials. Row 0 and column 0 stand for none.
    let (mut of_row, mut of_column) = (vec![0.0; rows + 1], vec![0.0; columns + 1]);
    let mut row_of = vec![0; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![f64::INFINITY; columns + 1];
        let mut before = vec![0; columns + 1];
        let mut is_done = vec![false; columns + 1];
        while row_of[column] != 0 {
            is_done[column] = true;
            let now = row_of[column];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for other in (1..=columns).filter(|&other| !is_done[other]) {
                let reduced = cost(now - 1, other - 1) - of_row[now] - of_column[other];
                if reduced < least[other] {
                    (least[other], before[other]) = (reduced, column);
                }
                if least[other] < step {
                    (step, next) = (least[other], other);
                }
            }
            for other in 0..=columns {
                if is_done[other] {
                    of_row[row_of[other]] += step;
                    of_column[other] -= step;
                } else {
                    least[other] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
    }
    let mut found = vec![0; rows];
    for column in (1..=columns).filter(|&column| row_of[column] != 0) {
        found[row_of[column] - 1] = column - 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::cheapest;

    #[test]
    fn the_cheapest_of_all() {
        let mut random = 1_u64;
        for _ in 0..200 {
            let mut costs = [[0.0; 5]; 4];
            for cost in costs.iter_mut().flatten() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *cost = (random >> 58) as f64;
            }
            let sum = |columns: &[usize]| -> f64 {
                columns.iter().zip(&costs).map(|(&column, row)| row[column]).sum()
            };
            let found = cheapest(4, 5, |row, column| costs[row][column]);
            let mut best = f64::INFINITY;
            for n in 0..5_usize.pow(4) {
                let columns = [n % 5, n / 5 % 5, n / 25 % 5, n / 125];
                let mut sorted = columns;
                sorted.sort_unstable();
                if sorted.windows(2).all(|two| two[0] != two[1]) {
                    best = best.min(sum(&columns));
                }
            }
            assert_eq!(sum(&found), best);
        }
    }
}
