//! What leads to itself.

/// The edges of a graph, by where they begin.
pub struct Edges {
    first: Vec<u32>,
    ends: Vec<u32>,
}

impl Edges {
    /// Of nodes with the numbers from 0 to `nodes` - 1.
    pub fn new(nodes: usize, edges: &[(u32, u32)]) -> Self {
        let mut first = vec![0; nodes + 2];
        edges.iter().for_each(|edge| first[edge.0 as usize + 2] += 1);
        (1..first.len()).for_each(|node| first[node] += first[node - 1]);
        let mut ends = vec![0; edges.len()];
        for &(from, to) in edges {
            let place = &mut first[from as usize + 1];
            ends[*place as usize] = to;
            *place += 1;
        }
        Self { first, ends }
    }

    /// Where the edges of a node lead.
    pub fn of(&self, node: u32) -> &[u32] {
        let (start, end) = (self.first[node as usize], self.first[node as usize + 1]);
        &self.ends[start as usize..end as usize]
    }
}

/// Not seen yet.
const NEW: u32 = u32::MAX;

/// The number of each node's component: nodes of one component lead to each other (Tarjan's algorithm, without
/// recursion).
pub fn components(nodes: usize, edges: &Edges) -> Vec<u32> {
    let (mut order, mut low) = (vec![NEW; nodes], vec![NEW; nodes]);
    let mut component = vec![NEW; nodes];
    let (mut open, mut path): (Vec<u32>, Vec<(u32, usize)>) = (Vec::new(), Vec::new());
    let (mut seen, mut found) = (0, 0);
    for start in (0..nodes as u32).filter(|&node| !edges.of(node).is_empty()) {
        if order[start as usize] != NEW {
            continue;
        }
        path.push((start, 0));
        while let Some(&mut (node, ref mut step)) = path.last_mut() {
            let here = node as usize;
            if *step == 0 {
                (order[here], low[here]) = (seen, seen);
                seen += 1;
                open.push(node);
            }
            let next = edges.of(node).get(*step).copied();
            *step += 1;
            match next.map(|next| next as usize) {
                Some(next) if order[next] == NEW => path.push((next as u32, 0)),
                Some(next) if component[next] == NEW => low[here] = low[here].min(order[next]),
                Some(_) => {}
                None => {
                    if low[here] == order[here] {
                        while let Some(member) = open.pop() {
                            component[member as usize] = found;
                            if member == node {
                                break;
                            }
                        }
                        found += 1;
                    }
                    path.pop();
                    if let Some(&(before, _)) = path.last() {
                        low[before as usize] = low[before as usize].min(low[here]);
                    }
                }
            }
        }
    }
    // A node to which nothing was seen to lead is a component of its own.
    for number in component.iter_mut().filter(|number| **number == NEW) {
        *number = found;
        found += 1;
    }
    component
}

#[cfg(test)]
mod tests {
    use super::{Edges, components};

    fn of(nodes: usize, edges: &[(u32, u32)]) -> Vec<u32> {
        components(nodes, &Edges::new(nodes, edges))
    }

    #[test]
    fn edges_by_node() {
        let edges = Edges::new(4, &[(2, 1), (0, 3), (2, 0), (0, 1)]);
        assert_eq!([0, 1, 2, 3].map(|node| edges.of(node).len()), [2, 0, 2, 0]);
        assert_eq!((edges.of(0), edges.of(2)), (&[3, 1][..], &[1, 0][..]));
        assert!(Edges::new(1, &[]).of(0).is_empty());
    }

    #[test]
    fn what_leads_to_itself_is_one_component() {
        let found = of(7, &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3), (5, 0)]);
        assert!(found[0] == found[1] && found[1] == found[2] && found[3] == found[4], "{found:?}");
        let mut numbers: Vec<_> = [0, 3, 5, 6].map(|node: usize| found[node]).to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 4, "{found:?}");
    }

    /// A chain that is longer than a stack would have room for.
    #[test]
    fn a_long_chain() {
        let chain: Vec<_> = (0..1_000_000).map(|node| (node, node + 1)).collect();
        let mut found = of(1_000_001, &chain);
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 1_000_001);
    }
}
