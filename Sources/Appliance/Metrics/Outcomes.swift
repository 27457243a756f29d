/// How often something ended in which way. The ways are words of the program, never a client's.
final class Outcomes: Sendable {
    private let cells = LabelledCells<String, Counter>(atMost: 64) { Counter() }

    func count(_ outcome: String) { cells.cell(outcome).next() }

    var all: [(labels: [String], value: Double)] {
        cells.all.map { ([$0.labels], Double($0.cell.current)) }
    }
}
