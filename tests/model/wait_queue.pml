// The board and the wait queue of the model: their state, and the operations of callers and keeper.
//
// One step of the model is one atomic operation of the code (core/pool/wait_queue.cpp, core/segment/board.hpp), in the same
// order; operations under the mutex that are not visible outside are one step. Included by handover.pml.

#define IDLE 0
#define LEASED 1
#define SOILED 2
#define HELD 3
#define REVOKED 4
#define CLOSING 5
#define EMPTY 6
#define OPENING 7
#define RETURNING 8

#define FREE 0      // no ticket
#define QUEUED 1
#define NUDGED 2
#define GRANTED 3
#define REFUSED 4

#define RUNNING 0
#define PAUSED 1
#define CLOSED 2

#define NOBODY 255

#ifndef ASYNC
#define ASYNC 0     // the last ASYNC callers use asynchronous requests
#endif
#ifndef MOVES
#define MOVES 0     // number of the keeper's own actions
#endif
#ifndef FLIPS
#define FLIPS 0     // number of pauses with resume
#endif

// The board. `owner` is a ghost variable: the rightful holder of the lease.
byte state[NS], generation[NS], owner[NS];

// The wait queue. *_old is the value before the last change, which a relaxed load may still see.
byte waiting, waiting_old, gate, gate_old;
bool nudge, nudge_old, mutex;
byte queue[NC], queued;

// The tickets, one per caller.
byte signal[NC], ticket_slot[NC], ticket_generation[NC], ticket_number[NC];
bool is_asleep[NC], is_delivered[NC], is_impatient[NC], is_elapsed[NC];
byte done;
byte ahead;  // releases that have checked for waiters before others can see their slot idle

#define is_async(t) (t >= NC - ASYNC)
#define is_waiting(t) (signal[t] == QUEUED || signal[t] == NUDGED)

inline lock() { atomic { !mutex -> mutex = true } }
// Sleepers are woken, and asynchronous tickets delivered, after the mutex is released.
inline unlock() { mutex = false }
inline wake_sleepers() {
  if
  :: wake != 0 -> d_step {
       i = 0;
       do
       :: i < NC -> if :: (wake >> i) & 1 -> is_asleep[i] = false :: else fi; i++
       :: else -> break
       od;
       wake = 0; i = 0
     }
  :: else
  fi
}
inline deliver() {
  if
  :: deliveries != 0 -> d_step {
       i = 0;
       do
       :: i < NC -> if :: (deliveries >> i) & 1 -> assert(!is_delivered[i]); is_delivered[i] = true :: else fi; i++
       :: else -> break
       od;
       deliveries = 0; i = 0
     }
  :: else
  fi
}

inline set_nudge(value) { d_step { nudge_old = nudge; nudge = value } }
inline set_gate(value) { d_step { gate_old = gate; gate = value } }

// Remove ticket t from the queue, together with a nudge that it has not used yet.
inline unlink(t) {
  d_step {
    i = 0;
    do :: queue[i] != t -> i++ :: else -> break od;
    do :: i + 1 < queued -> queue[i] = queue[i + 1]; i++ :: else -> break od;
    queued--; queue[queued] = 0; is_elapsed[t] = false; i = 0
  }
#ifndef BREAK_UNLINK
  if :: signal[t] == NUDGED -> set_nudge(false) :: else fi;
#endif
  d_step { waiting_old = waiting; waiting-- }
}

// I7: only a waiting ticket can end, and it ends once.
inline finish(t, how) {
  d_step {
    assert(is_waiting(t));
    signal[t] = how;
    if :: is_async(t) -> deliveries = deliveries | (1 << t) :: else -> wake = wake | (1 << t) fi
  }
}

// The lowest idle slot for `who` and the lease's generation, or slot == NS.
inline claim_lowest(who) {
  slot = 0; is_coming = false;
  do
  :: slot < NS -> atomic {
       if
       :: state[slot] == IDLE ->
            assert(owner[slot] == NOBODY);
            state[slot] = LEASED; generation[slot]++; claimed = generation[slot]; owner[slot] = who; break
       :: else -> is_coming = is_coming || state[slot] == RETURNING; slot++
       fi
     }
  :: slot == NS -> break
  od
}

inline grant(t) {
  unlink(t);
  d_step { ticket_slot[t] = slot; ticket_generation[t] = claimed; claimed = 0 }
  finish(t, GRANTED)
}

inline serve_locked() {
  is_coming = false;
  if
  :: gate == RUNNING ->
       do
       :: queued == 0 -> is_coming = false; break
       :: queued != 0 ->
            head = queue[0];
            claim_lowest(head);
            if :: slot == NS -> break :: else -> grant(head) fi
       od
  :: else
  fi;
  slot = 0; head = 0
}

inline serve() { lock(); serve_locked(); unlock(); wake_sleepers() }

#define is_mine(s, g) (state[s] == LEASED && generation[s] == g)

// Board::end: the compare decides, and it must agree with the ghost (I3). The process that ended the lease keeps the slot.
inline end_lease(s, g) {
  atomic {
    if
    :: is_mine(s, g) -> assert(owner[s] == me); state[s] = RETURNING; is_ended = true
    :: else -> assert(owner[s] != me); is_ended = false
    fi
  }
}
// Board::give_back and soil.
inline pass(s, to) {
  atomic { assert(state[s] == RETURNING && owner[s] == me); owner[s] = NOBODY; state[s] = to }
}

// May the head be overtaken at the time this caller read from its clock? With a clock in the model: not if the head's
// window had elapsed then. Without: anything.
inline ask_may_overtake(number_waiting) {
#ifdef CLOCK
  if
  :: number_waiting == 0 || queued == 0 -> may_overtake = true
#ifdef BREAK_WINDOW
  :: else -> may_overtake = true
#else
  :: else -> may_overtake = !(queue[0] == elapsed_head && ticket_number[queue[0]] == elapsed_number)
#endif
  fi
#else
  if :: may_overtake = true :: number_waiting != 0 -> may_overtake = false fi
#endif
}
inline read_clock() {
#ifdef CLOCK
  d_step {
    elapsed_head = NOBODY; elapsed_number = 0;
    if
    :: queued != 0 && is_elapsed[queue[0]] -> elapsed_head = queue[0]; elapsed_number = ticket_number[queue[0]]
    :: else
    fi
  }
#else
  skip
#endif
}

// WaitQueue::pass_on. `mine`, `number`: the lease, which has ended.
inline pass_on() {
  if
  :: waiting == 0 ->
       if
       :: pass(mine, IDLE);
#ifndef BREAK_RECHECK
          if :: waiting != 0 -> serve() :: else fi
#endif
       // Board::put_back has no barrier: the second check may come before others see the slot idle.
       :: atomic { waiting == 0 -> ahead++ }
          atomic { pass(mine, IDLE); ahead-- }
       fi
  :: else ->
       // Both loads of the shortcut are relaxed: each may see the value before the last change.
       if :: may_overtake = nudge :: may_overtake = nudge_old fi;
       if
       :: may_overtake -> if :: skip -> ask_may_overtake(waiting) :: skip -> ask_may_overtake(waiting_old) fi
       :: else
       fi;
       if
       :: may_overtake ->
            pass(mine, IDLE);
            if :: !nudge -> serve() :: else fi
       :: else ->
            lock();
            head = 0;
            if :: queued != 0 -> head = queue[0] :: else fi;
            ask_may_overtake(waiting);
            if
            :: queued != 0 && gate == RUNNING && (is_async(head) || !may_overtake) ->
                 was_nudged = nudge;
                 atomic {
                   assert(state[mine] == RETURNING && owner[mine] == me);
                   state[mine] = LEASED; generation[mine]++; claimed = generation[mine]; owner[mine] = head; slot = mine
                 }
                 grant(head);
                 slot = 0;
#ifndef BREAK_HANDOVER
                 // The connection the head was nudged for now goes to the next one.
                 if :: was_nudged -> was_nudged = false; serve_locked() :: else fi
#else
                 was_nudged = false
#endif
            :: else ->
                 pass(mine, IDLE);
                 if
                 :: queued != 0 && gate == RUNNING && !nudge ->
                      set_nudge(true);
                      d_step { wake = wake | (1 << head); signal[head] = NUDGED }
                 :: else
                 fi
            fi;
            head = 0;
            unlock(); wake_sleepers()
       fi
  fi;
  may_overtake = false;
  deliver()
}

// WaitQueue::look_again: the release has finished, or Presence::settle makes all slots visible.
inline look_again() {
  if
  :: is_coming -> is_coming = false; atomic { ahead == 0 }; serve()
  :: else
  fi
}

inline enqueue() {
#ifndef PATIENT
  if :: is_impatient[me] = true :: skip fi;
#endif
  lock();
  if
  :: gate == CLOSED -> unlock(); signal[me] = REFUSED; is_delivered[me] = is_async(me)
  :: else ->
       d_step {
         assert(signal[me] == FREE);
         queue[queued] = me; queued++; signal[me] = QUEUED;
#ifdef CLOCK
         ticket_number[me]++
#endif
       }
       d_step { waiting_old = waiting; waiting++ }
       serve_locked();
       unlock(); wake_sleepers();
#ifndef BREAK_BARRIER
       look_again();
#endif
#ifndef BREAK_DELIVERY
       deliver()
#endif
  fi
}

// WaitQueue::wait, for synchronous callers.
inline wait() {
  do
  :: signal[me] == GRANTED || signal[me] == REFUSED -> break
  :: signal[me] == NUDGED ->  // try_as_head
       lock();
       if
       :: signal[me] == NUDGED ->
            signal[me] = QUEUED;
#ifdef BREAK_NUDGE_ORDER
            serve_locked();
            set_nudge(false);
#else
            set_nudge(false);
            serve_locked();
#endif
       :: else
       fi;
       unlock(); wake_sleepers()
  :: signal[me] == QUEUED ->
       if
       :: is_impatient[me] ->  // give_up
            lock();
            if
            :: is_waiting(me) -> unlink(me); signal[me] = REFUSED; serve_locked()
            :: else  // I8: granted meanwhile, and it keeps the lease
            fi;
            unlock(); wake_sleepers()
       :: atomic { signal[me] == QUEUED -> is_asleep[me] = true }
            if
            :: !is_asleep[me]
            :: is_impatient[me] -> is_asleep[me] = false
            fi
       :: signal[me] != QUEUED  // the futex would not sleep
       fi
  od
}
