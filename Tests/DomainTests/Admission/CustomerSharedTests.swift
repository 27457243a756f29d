import Domain
import Support
import Testing

@Suite("A customer whom several nodes share")
struct CustomerSharedTests {
    private static let cases = [UInt64](1...24).flatMap { seed in
        CustomerHistory.Size.allCases.map { (seed, $0) }
    }

    @Test("Handed on before every event, they live as one who stayed", arguments: cases)
    func handedOn(seed: UInt64, size: CustomerHistory.Size) throws {
        var history = try CustomerHistory(seed: seed, size: size)
        var stayed = Customer(standing: history.standing)
        var moved = stayed
        var (review, other) = (Review(), Review())
        for step in 0..<250 {
            let comment: Comment = "seed \(seed), \(size), step \(step)"
            let event = try history.next()
            stayed.standing = history.standing
            moved = try #require(Self.taken(moved.shared(), history.standing), comment)
            let answer = stayed.live(event, at: history.now, &review)
            let movedAnswer = moved.live(event, at: history.now, &other)
            #expect(movedAnswer == answer, comment)
            #expect(other.states == review.states, comment)
            #expect(other.bookings == review.bookings, comment)
            #expect(moved.shared() == stayed.shared(), comment)
            #expect(moved.report(at: history.now) == stayed.report(at: history.now), comment)
            history.note(event, answer, review.bookings)
        }
        // All is there but keys that say nothing.
        #expect(moved.account == stayed.account && moved.leases == stayed.leases)
        #expect(moved.keys == stayed.keys.filter { !$0.value.meters.isEmpty })
        #expect(moved.reservations == stayed.reservations && moved.blocks == stayed.blocks)
    }

    @Test("Bytes that were damaged are refused whole, or are a customer who can be asked")
    func damaged() throws {
        var random = SplitMix64(seed: 20)
        var refused = 0
        for seed in UInt64(1)...60 {
            let size = random.pick(CustomerHistory.Size.allCases)
            var history = try CustomerHistory(seed: seed, size: size)
            let whole = try Self.lived(&history, 60)
            for _ in 0..<200 {
                let bytes = Self.damage(whole.shared(), &random)
                var customer = Customer(standing: history.standing)
                let before = customer
                guard customer.adopt(bytes) else {
                    #expect(customer == before)
                    refused += 1
                    continue
                }
                var review = Review()
                for _ in 0..<3 {
                    let event = try history.next()
                    _ = customer.live(event, at: history.now, &review)
                    _ = customer.report(at: history.now)
                }
                let again = Self.taken(customer.shared(), history.standing)
                #expect(again != nil, "seed \(seed)")
            }
        }
        #expect(refused > 6000, "\(refused) of 12,000 were refused")
    }

    @Test("Any bytes at all are refused")
    func noise() {
        var random = SplitMix64(seed: 21)
        for _ in 0..<20_000 {
            let bytes = (0..<random.int(0...60)).map { _ in UInt8(random.int(0...255)) }
            #expect(Self.taken(bytes, nil) == nil)
        }
    }

    @Test("A format that is not known is refused")
    func format() {
        var bytes = Customer(standing: nil).shared()
        #expect(bytes[1] == 1)
        bytes[1] = 3
        #expect(Self.taken(bytes, nil) == nil)
    }

    @Test("Numbers that a double does not hold mark the state")
    func wide() throws {
        var history = try CustomerHistory(seed: 1)
        var customer = Customer(standing: history.standing)
        let end = history.now + .seconds(60)
        for amount in [JSON.integerMax - 1, 2] {
            #expect(customer.shared()[1] == 1)
            let hold = Reservation(
                id: ID(at: history.now, using: &history.random), userID: history.user, keyID: nil,
                metric: "c", amount: amount, createdAt: history.now, expiresAt: end)
            #expect(customer.reserve(hold, at: history.now).isGranted)
        }
        // Both together are held.
        #expect(customer.shared()[1] == 2)
        #expect(Self.taken(customer.shared(), history.standing) == customer)
    }

    private static func taken(_ bytes: [UInt8], _ standing: Standing?) -> Customer? {
        var customer = Customer(standing: standing)
        return customer.adopt(bytes) ? customer : nil
    }

    private static func lived(
        _ history: inout CustomerHistory, _ steps: Int
    ) throws -> Customer {
        var customer = Customer(standing: history.standing)
        var review = Review()
        for _ in 0..<steps {
            let event = try history.next()
            customer.standing = history.standing
            let answer = customer.live(event, at: history.now, &review)
            history.note(event, answer, review.bookings)
        }
        return customer
    }

    /// A byte changed, left out, put in or doubled, or the end cut off.
    private static func damage(_ whole: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var bytes = whole
        for _ in 0..<random.int(1...3) where bytes.count > 1 {
            let at = Int(random.int(0...Int64(bytes.count - 1)))
            switch random.int(0...5) {
            case 0: bytes.remove(at: at)
            case 1: bytes.insert(UInt8(random.int(0...255)), at: at)
            case 2: bytes[at] ^= UInt8(1 << random.int(0...7))
            case 3: bytes[at] = random.pick([0x00, 0x7F, 0x80, 0x90, 0xA0, 0xCF, 0xD3, 0xFF])
            case 4: bytes.insert(bytes[at], at: at)
            default: bytes.removeLast(bytes.count - max(1, at))
            }
        }
        return bytes
    }
}
