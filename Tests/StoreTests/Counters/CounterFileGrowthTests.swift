import Domain
import Glibc
import Support
import Synchronization
import Testing

@testable import Store

@Suite("Counter file, growing and shrinking")
struct CounterFileGrowthTests {
    private let home: CounterFolder
    private static let each = CounterSegments.placesEach

    init() throws { home = try CounterFolder() }

    private func open(_ count: Int, _ file: CounterFile, from: Int = 0) throws -> [Int32] {
        try (from..<from + count).map { try #require(file.open(.sample(UInt64($0)))) }
    }

    private func fold(_ file: CounterFile) throws {
        file.didFold(try #require(file.advance()))
    }

    @Test("It grows by a segment when the places are taken, and every place counts")
    func grows() throws {
        let file = try home.open()
        #expect(file.figures.segments == 0)
        let places = try open(Self.each + 1, file)
        #expect(Set(places).count == places.count)
        #expect(file.figures.segments == 2)
        #expect(file.figures.bytes == 65_536 + 2 * 1_048_576)
        for place in places { #expect(file.add(Int64(place) + 1, to: place)) }
        let found = try home.recovered(after: 0)
        #expect(found.count == places.count)
        for (number, place) in places.enumerated() {
            #expect(found[.sample(UInt64(number))] == Int64(place) + 1)
        }
    }

    @Test("It shrinks to one spare segment after a fold, from the end only, and keeps what is used")
    func shrinks() throws {
        let file = try home.open()
        let places = try open(3 * Self.each, file)
        #expect(file.add(9, to: places[0]))
        #expect(file.add(9, to: places[Self.each]))
        for place in places where file.isEmpty(place) { #expect(file.close(place)) }
        #expect(file.figures.segments == 3)
        let batch = try #require(file.advance())
        #expect(try home.recovered(after: 0) == [.sample(0): 9, .sample(UInt64(Self.each)): 9])
        file.didFold(batch)
        // The third is the one spare.
        #expect(file.figures.segments == 3)
        #expect(file.close(places[Self.each]))
        try fold(file)
        #expect(file.figures.segments == 2)
        #expect(file.figures.bytes == 65_536 + 2 * 1_048_576)
        #expect(file.add(4, to: places[0]))
        #expect(try home.recovered(after: 2) == [.sample(0): 4])
        // The lowest free place is the next one, and it reads as new.
        #expect(try #require(file.open(.sample(7))) == 1)
    }

    @Test("A segment that was given back comes again empty")
    func regrows() throws {
        let file = try home.open()
        let places = try open(3 * Self.each, file)
        for place in places { #expect(file.add(3, to: place)) }
        try fold(file)
        for place in places { #expect(file.close(place)) }
        try fold(file)
        #expect(file.figures.segments == 1)
        let again = try open(3 * Self.each, file)
        for place in again { #expect(file.delta(at: place, batch: file.openBatch) == 0) }
        #expect(try home.recovered(after: 1) == [:])
    }

    @Test("When the most places there may be are taken, there is none")
    func bound() throws {
        let file = try home.open(segmentsMax: 1)
        let places = try open(Self.each, file)
        #expect(file.open(.sample(1)) == nil)
        #expect(file.close(places[77]))
        #expect(file.open(.sample(1)) == places[77])
    }

    @Test(
        "On a full disk it counts in memory and says so; with room again it goes back to the file")
    func fullDisk() throws {
        let room = Mutex(1)
        let file = try CounterFile(path: home.path) { descriptor, offset, length in
            let fits = room.withLock { room in
                room -= 1
                return room >= 0
            }
            return fits ? posix_fallocate(descriptor, offset, length) : ENOSPC
        }
        file.reset(openingBatch: 1)
        let onDisk = try open(Self.each, file)
        #expect(!file.figures.isDegraded)
        let inMemory = try open(Self.each + 1, file, from: Self.each)
        #expect(file.figures.isDegraded)
        #expect(file.figures.segments == 3)
        #expect(file.figures.bytes == 65_536 + 1_048_576)
        for place in onDisk + inMemory { #expect(file.add(1, to: place)) }
        for place in onDisk + inMemory { #expect(file.delta(at: place, batch: 1) == 1) }
        #expect(try home.recovered(after: 0).count == Self.each)

        room.withLock { $0 = 1 }
        try fold(file)
        #expect(file.figures.isDegraded)
        let next = try #require(file.open(.sample(1_000_000)))
        #expect(file.add(8, to: next))
        #expect(try home.recovered(after: 1) == [.sample(1_000_000): 8])
        for place in inMemory { #expect(file.close(place)) }
        try fold(file)
        #expect(!file.figures.isDegraded)
    }

    @Test("A process that may not write so much counts on in memory")
    func fileSizeLimit() async {
        await #expect(processExitsWith: .success) { [path = home.path as String] in
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 65_536 + 1_500_000, rlim_max: 65_536 + 1_500_000)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let file = try CounterFile(path: path)
            file.reset(openingBatch: 1)
            for number in 0..<UInt64(8193) {
                let place = try #require(file.open(.sample(number)))
                try #require(file.add(1, to: place))
            }
            try #require(file.figures.isDegraded)
            try #require(file.figures.bytes == 65_536 + 1_048_576)
            try #require(
                try CounterFile(path: path).recover(after: FoldMark(batch: 0)).count == 8192)
        }
    }

    @Test(
        "On a disk that is really full, no page of the file is missing",
        .enabled(if: TinyDisk.isPossible, "needs the right to mount"))
    func tinyDisk() throws {
        let disk = try #require(try TinyDisk())
        let file = try CounterFile(path: disk.path + "/counters")
        file.reset(openingBatch: 1)
        let places = try open(2 * Self.each, file)
        #expect(file.figures.isDegraded)
        #expect(file.figures.bytes == 65_536 + 1_048_576)
        // Something else takes the last blocks: a page without one would end the process here.
        let filler = Glibc.open(disk.path + "/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let block = [UInt8](repeating: 1, count: 4096)
        for _ in 0..<1000 where write(filler, block, block.count) < 0 { break }
        for place in places { #expect(file.add(1, to: place)) }
        #expect(try file.recover(after: FoldMark(batch: 0)).count == Self.each)

        // Room again: what is opened next is on the disk.
        ftruncate(filler, 0)
        Glibc.close(filler)
        let batch = try #require(file.advance())
        file.didFold(batch)
        for place in places { #expect(file.close(place)) }
        #expect(file.advance() == batch + 1)
        file.didFold(batch + 1)
        #expect(!file.figures.isDegraded)
        _ = try open(Self.each, file)
        #expect(file.figures.segments == 1)
    }
}
