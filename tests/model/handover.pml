// The waiting protocol of the pool: acquire, release, timeout, expiry, nudge, the keeper's moves, the gate and revocation.
//
// Processes: callers (core/pool/lease.cpp), the keeper (core/pool/slot_keeper.cpp, core/pool/keeper.cpp), and time. A
// deadlock of this model is a lost wake-up (I4): every process must finish, and patient callers never time out.
//
// Run by check.py, which defines NC callers, NS slots, ROUNDS leases per caller and the switches described in README.md.

#include "wait_queue.pml"

proctype caller(byte me) {
  byte slot, claimed, head, i, wake, deliveries, mine, number, rounds, elapsed_head, elapsed_number;
  bool is_ended, is_granted, may_overtake, was_nudged, is_coming;
  do
  :: rounds == ROUNDS -> break
  :: rounds < ROUNDS ->
       rounds++;
       is_granted = false;
#ifdef STAGED
       // The first NS callers hold the slots; the others found none idle.
       if :: me < NS -> mine = me; number = 1; is_granted = true :: else fi;
#else
       read_clock();
       // Pool::take_idle: gate and waiting are relaxed loads.
       if
       :: gate == RUNNING || gate_old == RUNNING ->
#ifdef CLOCK
            ask_may_overtake(waiting);
#else
            if :: skip -> ask_may_overtake(waiting) :: skip -> ask_may_overtake(waiting_old) fi;
#endif
            if
            :: may_overtake ->
                 claim_lowest(me);
                 if
                 :: slot < NS ->
                      // I9: no request overtakes a head whose window had elapsed when the request came.
#ifdef CLOCK
                      assert(elapsed_head == me || queued == 0 || queue[0] != elapsed_head ||
                             ticket_number[queue[0]] != elapsed_number);
#endif
                      d_step { mine = slot; number = claimed; claimed = 0; is_granted = true }
                 :: else
                 fi;
                 slot = 0
            :: else
            fi;
            may_overtake = false
       :: gate != RUNNING || gate_old != RUNNING
       fi;
       d_step { elapsed_head = 0; elapsed_number = 0 }
#endif
       if
       :: !is_granted ->
            enqueue();
            if :: is_async(me) -> is_delivered[me] :: else -> wait() fi;
            deliver();
            d_step {
              assert(signal[me] == GRANTED || signal[me] == REFUSED);
              if
              :: signal[me] == GRANTED -> mine = ticket_slot[me]; number = ticket_generation[me]; is_granted = true
              :: else
              fi;
              signal[me] = FREE; is_delivered[me] = false; is_asleep[me] = false; is_impatient[me] = false;
              ticket_slot[me] = 0; ticket_generation[me] = 0
            }
       :: else
       fi;
#ifdef STAGED
       // A caller that waited keeps its lease, so that sleeping ones must be woken for idle connections on the board.
       if :: me >= NS -> assert(is_granted); break :: else fi;
#endif
       if
       :: is_granted ->
            // I3: while it is the current lease no other process has the slot.
            assert(!is_mine(mine, number) || owner[mine] == me);
            read_clock();
            end_lease(mine, number);
            if
            :: is_ended -> pass_on()
#if MOVES > 0
            :: is_ended -> pass(mine, SOILED)
#endif
            :: !is_ended
            fi;
            d_step { mine = 0; number = 0; is_ended = false; is_granted = false; is_coming = false; elapsed_head = 0; elapsed_number = 0 }
       :: else
       fi
  od;
  done++
}

// SlotKeeper::put_back.
inline put_back(s) {
  state[s] = IDLE;
  if :: waiting != 0 -> serve() :: else fi;
  deliver()
}
inline reopen(s) { state[s] = EMPTY; state[s] = OPENING; put_back(s) }

proctype keeper() {
  byte slot, claimed, head, i, wake, deliveries, moves, s, flips, following;
  bool is_coming;
  do
  :: done == NC -> break
  :: (state[0] == SOILED) -> state[0] = HELD; put_back(0)
#if NS > 1
  :: (state[1] == SOILED) -> state[1] = HELD; put_back(1)
#endif
  :: moves < MOVES ->
       moves++;
       if :: s = 0
#if NS > 1
       :: s = 1
#endif
       fi;
       if
       :: atomic { state[s] == IDLE -> state[s] = HELD }
            put_back(s)
       :: atomic { state[s] == IDLE -> state[s] = CLOSING }
            reopen(s)
       :: atomic { state[s] == LEASED -> assert(owner[s] != NOBODY); owner[s] = NOBODY; state[s] = REVOKED }
            state[s] = CLOSING;
            reopen(s)
       :: skip
       fi;
       s = 0
#if ASYNC > 0
  :: moves < MOVES + 1 ->  // WaitQueue::expire
       moves++;
       lock();
       following = 0;
       do
       :: following < queued ->
            head = queue[following];
            if
            :: is_async(head) && is_impatient[head] -> unlink(head); finish(head, REFUSED)
            :: else -> following++
            fi
       :: else -> break
       od;
       following = 0;
       serve_locked();
       unlock(); wake_sleepers(); deliver()
#endif
#if FLIPS > 0
  :: flips < FLIPS ->
       flips++;
       lock(); set_gate(PAUSED); unlock();
       lock(); set_gate(RUNNING); serve_locked(); unlock(); wake_sleepers();
#ifndef BREAK_RESUME
       look_again();
#endif
       deliver()
#endif
#ifdef CLOSE
  :: gate == RUNNING ->
       lock(); set_gate(CLOSED); unlock();
       lock();
       do
       :: queued != 0 -> head = queue[0]; unlink(head); finish(head, REFUSED)
       :: else -> break
       od;
       unlock(); wake_sleepers(); deliver()
#endif
  od;
  // No lease, ticket, nudge or count is left over.
  assert(waiting == 0 && queued == 0 && !nudge && !mutex);
  s = 0;
  do
#ifdef STAGED
  :: s < NS -> assert(state[s] == LEASED && owner[s] >= NS); s++
#else
  :: s < NS -> assert((state[s] == IDLE || state[s] == SOILED) && owner[s] == NOBODY); s++
#endif
  :: else -> break
  od
}

#ifdef CLOCK
// The head's window elapses at any moment after it is counted: until then no process can know of it.
proctype clock() {
  do
  :: atomic { queued != 0 && waiting >= queued && !is_elapsed[queue[0]] -> is_elapsed[queue[0]] = true }
  :: done == NC -> break
  od
}
#endif

init {
  byte n;
  atomic {
#ifdef STAGED
    do :: n < NS -> owner[n] = n; state[n] = LEASED; generation[n] = 1; n++ :: else -> break od;
#else
    do :: n < NS -> owner[n] = NOBODY; n++ :: else -> break od;
#endif
    n = 0;
    do :: n < NC -> run caller(n); n++ :: else -> break od;
    run keeper();
#ifdef CLOCK
    run clock()
#endif
  }
}
