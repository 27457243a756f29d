import Domain
import Store

/// Many writes that are all in the queue at one moment, by an event and not by waiting a while: the
/// writer stands at a gate, and the one write more than the queue holds tells that it is full.
struct Crowd {
    /// What each write ended with, nil for success; without the one that was turned away.
    let answers: [Int: Problem?]
    /// The problem of that one, and its number.
    let turnedAway: (number: Int, problem: Problem)?

    /// `body` makes the unit of a number. Its store must have a queue of `count`, and be idle.
    static func write(
        _ count: Int, to store: SQLiteStore,
        body: @escaping @Sendable (Int) -> @Sendable (any Connection) throws(Problem) -> Void
    ) async -> Crowd {
        let gate = Gate()
        return await withTaskGroup(of: (Int, Problem?).self) { group in
            group.addTask { (-1, await store.refusal { _ in gate.pass() }) }
            await gate.reached()
            for number in 0...count {
                group.addTask { (number, await store.refusal(body(number))) }
            }
            // Nobody else can be answered while the writer stands at the gate.
            let first = await group.next()
            gate.open()
            var answers: [Int: Problem?] = [:]
            for await (number, problem) in group where number >= 0 {
                answers[number] = .some(problem)
            }
            return Crowd(
                answers: answers,
                turnedAway: first.flatMap { number, problem in problem.map { (number, $0) } })
        }
    }

    var succeeded: Set<Int> { Set(answers.filter { $0.value == nil }.keys) }
}
