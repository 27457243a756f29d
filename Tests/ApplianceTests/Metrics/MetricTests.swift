import Domain
import Store
import Testing

@testable import Appliance

@Suite("Metrics")
struct MetricTests {
    @Test("names are unique, of the allowed characters, and end with their unit")
    func names() {
        #expect(Set(Metric.all.map(\.name)).count == Metric.all.count)
        for metric in Metric.all {
            let isOurs = metric.name.hasPrefix("gatehouse_") || metric.name.hasPrefix("process_")
            #expect(isOurs && metric.name.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil, "\(metric)")
            #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter), "\(metric)")
            let family = metric.name.replacing(/_total$/, with: "")
            for unit in [Metric.Unit.seconds, .bytes] {
                #expect(family.hasSuffix("_\(unit)") == (metric.unit == unit), "\(metric)")
            }
            #expect(metric.help.hasSuffix("."), "\(metric)")
        }
    }

    @Test("the manual's table has every metric, with its kind, labels and help")
    func manual() throws {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let text = try SafeFile.read("/\(root)/docs/operations.md", bytesMax: 1 << 20)
        let rows = String(decoding: text, as: UTF8.self).split(separator: "\n").filter {
            $0.hasPrefix("| `gatehouse_") || $0.hasPrefix("| `process_")
        }
        let expected = Metric.all.map { metric in
            let labels = metric.labels.map { "`\($0)`" }.joined(separator: ", ")
            return "| `\(metric.name)` | \(metric.kind.rawValue) | \(labels) | \(metric.help) |"
        }
        #expect(rows.map { String($0) }.sorted() == expected.sorted())
    }

    @Test("64 threads at once lose no count, and what is read meanwhile never falls")
    func monotone() async {
        let cells = LabelledCells<Int, Counter>(atMost: 8) { Counter() }
        let histogram = Histogram(bounds: [1])
        let rounds: UInt64 = 2000
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    for round in 0..<Int(rounds) {
                        cells.cell(round % 8).next()
                        histogram.record(.milliseconds(round))
                    }
                }
            }
            group.addTask {
                var last: [Int: UInt64] = [:]
                for _ in 0..<500 {
                    for (label, cell) in cells.all {
                        let now = cell.current
                        #expect(now >= last[label] ?? 0)
                        last[label] = now
                    }
                    let counts = histogram.counts
                    #expect(counts.cumulative.allSatisfy { $0 <= counts.count })
                }
            }
        }
        #expect(cells.all.map(\.labels).sorted() == Array(0..<8))
        #expect(cells.all.allSatisfy { $0.cell.current == 64 * rounds / 8 })
        #expect(cells.overflow == nil)
        #expect(histogram.counts.count == 64 * rounds)
    }

    @Test("past the cap all labels share one series, and those that have one keep it")
    func overflow() async {
        let cells = LabelledCells<Int, Counter>(atMost: 10) { Counter() }
        for label in 0..<10 { cells.cell(label).next() }
        #expect(cells.overflow == nil)
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<64 {
                group.addTask {
                    for label in 0..<100 { cells.cell(10 + thread * 100 + label).next() }
                }
            }
        }
        cells.cell(3).next()
        #expect(cells.all.map(\.labels).sorted() == Array(0..<10))
        #expect(cells.cell(3).current == 2)
        #expect(cells.overflow?.current == 6400)
    }

    @Test("64 threads that race for more labels than there is room for lose no count")
    func race() async {
        let cells = LabelledCells<Int, Counter>(atMost: 16) { Counter() }
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<64 {
                group.addTask { for step in 0..<40 { cells.cell((thread + step) % 40).next() } }
            }
        }
        let all = cells.all
        #expect(all.count <= 16 && Set(all.map(\.labels)).count == all.count)
        let counted = all.reduce(0) { $0 + $1.cell.current }
        #expect(counted + (cells.overflow?.current ?? 0) == 64 * 40)
    }

    @Test("a method that nobody knows, and a path without a route, make no series of their own")
    func labels() {
        let meter = HTTPMeter()
        for number in 0..<5000 {
            meter.begin()
            meter.end(method: "M\(number)", route: nil, status: 404, took: .zero)
        }
        let requests = meter.measurements.first { $0.metric == .httpRequests }
        #expect(requests?.series.map(\.labels) == [["other", "unrouted", "404"]])
    }

    @Test("past the room for limits and plans a refusal is counted by its code alone")
    func gate() {
        let meter = GateMeter()
        var problem = Problem(.quotaExceeded, "")
        for number in 0..<1500 {
            problem.members = [JSON.Member("limit", .string("l\(number)"))]
            meter.refuse(problem, plan: "free")
        }
        meter.allow(plan: "free")
        meter.allow(plan: nil)
        let all = meter.all
        let refused = all.filter { $0.labels[0] == "quota_exceeded" }
        #expect(refused.reduce(0) { $0 + $1.value } == 1500)
        #expect(refused.count == 1001)
        #expect(
            refused.first { $0.labels == ["quota_exceeded", "other", "other"] }?.value == 500)
        #expect(all.first { $0.labels == ["allowed", "", "free"] }?.value == 1)
        #expect(all.first { $0.labels == ["allowed", "", ""] }?.value == 1)
    }

    @Test("a histogram that was kept elsewhere has the same counts")
    func buckets() {
        var times = TimeBuckets()
        for milliseconds in [1, 2, 2, 60_000] { times.add(.milliseconds(milliseconds)) }
        let counts = Histogram.Counts(times)
        #expect(counts.count == 4)
        #expect(counts.sum == 60.005)
        #expect(counts.bounds.count == counts.cumulative.count)
        #expect(zip(counts.bounds, counts.cumulative).first { $0.0 == 0.001 }?.1 == 1)
        #expect(counts.cumulative.last == 3)
    }

    @Test("what is taken for the store is gone, and what the store refused comes once more")
    func traffic() {
        let traffic = Traffic()
        for _ in 0..<3 { traffic.allow() }
        traffic.refuse(.quotaExceeded)
        let taken = traffic.take()
        #expect(taken.allowed == 3)
        traffic.allow()
        traffic.putBack(taken)
        let again = traffic.take()
        #expect(again.allowed == 4)
        #expect(again.refused == [.quotaExceeded: 1])
        #expect(traffic.take().isEmpty)
    }

    @Test("a line of /proc is read from behind the program's name, which may look like more")
    func process() throws {
        let line =
            "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 12345 "
            + "1000000 25 18446744073709551615\n"
        let figures = try #require(
            ProcessFigures(stat: line, ticksPerSecond: 100, pageBytes: 4096))
        #expect(figures.cpuSeconds == 3)
        #expect(figures.threads == 7)
        #expect(figures.startedAfterBoot == 123.45)
        #expect(figures.virtualBytes == 1_000_000)
        #expect(figures.residentBytes == 102_400)
        #expect(ProcessFigures(stat: "42 (a) S 1", ticksPerSecond: 100, pageBytes: 4096) == nil)
    }
}
