/*
 * The lease and commit protocol: how launchers share one execution on one store. README.md says what each process and
 * each property stands for in the code.
 *
 * Each `atomic` block at the store is one transaction. A launcher may stand still between any two statements, for as long
 * as it likes: that is a frozen process, a slow network and a late answer in one.
 */

#ifndef LAUNCHERS
#define LAUNCHERS 2
#endif
/* How often a process dies; a launcher that lives is taken for dead; an answer gets lost; a launcher leaves in good order;
   how many messages are sent; how often a wait is looked at without one. */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef MISTAKES
#define MISTAKES 1
#endif
#ifndef LOSSES
#define LOSSES 2
#endif
#ifndef LEAVES
#define LEAVES 1
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef WAKES
#define WAKES 2
#endif

/* Numbers that launchers may get, and revisions that the execution may reach. */
#define NUMBERS (LAUNCHERS + DEATHS + MISTAKES + LEAVES)
#define REVISIONS 4

mtype = { absent, running, waiting, completed };
mtype = { taken, signalled, lost };
/* What a call that nobody waits for any more does, when it reaches the store after all. */
mtype = { nothing, lateCreate, lateClaim, lateCommit, lateRelease };

/* ---- The store ---- */

byte lastNumber = 0;
bool registered[NUMBERS + 1];
/* The process that had the number is gone. */
bool dead[NUMBERS + 1];

/* The execution's row. */
mtype status = absent;
byte owner = 0;
byte revision = 0;
byte signals = 0;
bool due = false;
/* Which call made the owner the owner, where its answer was lost: the ticket. */
bool isStranded = false;

/* The history: who committed each revision. */
byte writer[REVISIONS + 1];

/* The mailbox. `signals` is also how many messages were taken in. */
byte pending = 0;
byte consumed = 0;
byte buried = 0;

/* ---- What only the checks look at ---- */

/* Since the last commit: how often its function was called, and how often it was taken from a launcher. */
byte calls = 0;
byte takeovers = 0;

byte deaths = 0, mistakes = 0, losses = 0, leaves = 0;

/* One call that is still on its way, after its caller has given up waiting for the answer. */
mtype late = nothing;
byte lateOwner, lateRevision, lateSignals, lateTakes;
mtype lateStatus;
bool lateRests;

#ifdef NO_OWNER
#define HAS_OWNER(o) true
#else
#define HAS_OWNER(o) (owner == o)
#endif
#ifdef NO_REVISION
#define HAS_REVISION(r) true
#else
#define HAS_REVISION(r) (revision == r - 1)
#endif
#ifdef NO_FENCE
#undef HAS_OWNER
#undef HAS_REVISION
#define HAS_OWNER(o) true
#define HAS_REVISION(r) true
#endif
#ifdef NO_SIGNALS
#define HAS_SIGNALS(s) true
#else
#define HAS_SIGNALS(s) (signals == s)
#endif
#ifdef NO_MEMORY
#define IS_WRITTEN(o, r) false
#else
#define IS_WRITTEN(o, r) (writer[r] == o)
#endif
#ifdef NO_ALIVE
#define IS_ALIVE(o) true
#else
#define IS_ALIVE(o) registered[o]
#endif

#ifdef NO_TICKETS
#define IS_STRANDED false
#else
#define IS_STRANDED isStranded
#endif

#define IS_FREE (status != absent && status != completed && owner == 0 && due)

/* At these revisions a function of a step is called. At revision 1 it waits for a message, at 2 the message is there or not. */
#define CALLS(r) (r == 0 || r == 3)

/* A transition. `takes` messages are consumed with it. An end makes the rest of the mailbox dead. */
inline write(o, r, s, to, takes, rests, answer) {
  if
  :: HAS_OWNER(o) && HAS_REVISION(r) ->
    if
    :: HAS_SIGNALS(s) ->
#ifndef HARM
      assert(owner == o);               /* P1: only the owner commits */
      assert(signals == s);             /* P3: nothing has arrived that the engine has not seen */
#endif
      assert(revision == r - 1 && writer[r] == 0);   /* P2: revisions have no gap, and each is made once */
      assert(takes <= pending);         /* P4: no message is consumed twice */
      assert(status != completed);
      assert(!CALLS(r - 1) || calls > 0);    /* P7: its function was called, again only after it was taken from a launcher */
      status = to;
      revision = r;
      writer[r] = o;
      calls = 0;
      takeovers = 0;
      pending = pending - takes;
      consumed = consumed + takes;
      if
      :: to == completed -> buried = pending; pending = 0
      :: else
      fi;
      if
      :: rests -> owner = 0; due = (to == running)
      :: else
      fi;
      answer = taken
    :: else -> answer = signalled
    fi
  :: else -> answer = lost
  fi
}

inline bury(n) {
  registered[n] = false;
  dead[n] = false;
  if
  :: owner == n -> owner = 0; due = true; isStranded = false; takeovers++
  :: else
  fi
}

/* ---- Launchers ---- */

/* A process dies between any two of its statements. All that it knew is gone. */
#define DIES deaths < DEATHS -> deaths++; dead[me] = true; goto born

/* A beat or a claim says that this launcher was buried: it forgets what it had, and registers anew. */
#define IS_BURIED atomic { !registered[me] -> goto born }

inline forget() {
  isAskedAgain = false; answer = 0; to = 0; takes = 0; found = 0; myRevision = 0; mySignals = 0; rests = false
}

inline register() {
#ifdef SAME_NUMBERS
  if
  :: me == 0 || dead[me] -> lastNumber++; me = lastNumber
  :: else
  fi;
#else
  lastNumber++;
  me = lastNumber;
#endif
  assert(me <= NUMBERS);
  registered[me] = true
}

/* What is to be committed next, of what was read. */
inline decide() {
  takes = 0;
  if
  :: myRevision == 0 -> to = running; if :: rests = true :: rests = false fi
  :: myRevision == 1 -> to = waiting; rests = (found == 0)
  :: myRevision == 2 -> to = running; takes = 1; rests = false
  :: myRevision == 3 -> to = completed; rests = true
  fi
}

proctype Launcher(byte me) {
  byte myRevision, mySignals, found, takes;
  mtype to, answer;
  bool rests, isAskedAgain;
  goto idle;

born:
  atomic { forget(); register() }

idle:
  if
  :: status == completed -> goto over
  :: atomic { status == absent -> goto create }
  :: atomic {                            /* a claim, which gives out too what an earlier call took whose answer was lost */
      IS_ALIVE(me) && (IS_FREE || owner == me && IS_STRANDED) ->
      owner = me; due = false; isStranded = false;
      myRevision = revision; mySignals = signals;
      goto look
    }
  :: atomic {                            /* a claim that is carried out, and whose answer is lost */
      IS_ALIVE(me) && IS_FREE && losses < LOSSES ->
      losses++;
      owner = me; due = false; isStranded = true;
      goto idle
    }
  :: atomic {                            /* a claim that comes to the store later */
      status != absent && losses < LOSSES && late == nothing ->
      losses++; late = lateClaim; lateOwner = me;
      goto idle
    }
  :: IS_BURIED
  :: atomic { DIES }
  fi;

create:
  if
  :: atomic {
      if
      :: isAskedAgain && IS_STRANDED && owner == me -> isStranded = false
      :: status == absent ->
        status = running;
        if
        :: IS_ALIVE(me) -> owner = me
        :: else -> due = true; forget(); goto idle
        fi
      :: else -> forget(); goto idle     /* there is one of that id already */
      fi;
      isAskedAgain = false; mySignals = signals; myRevision = revision;
      goto look
    }
  :: atomic {                            /* carried out, and the answer is lost: asked again, or given up by its caller */
      status == absent && losses < LOSSES ->
      losses++; status = running;
      if
      :: IS_ALIVE(me) -> owner = me; isStranded = true
      :: else -> due = true
      fi;
      if
      :: isAskedAgain = true; goto create
      :: forget(); goto idle
      fi
    }
  :: atomic { losses < LOSSES && late == nothing ->
      losses++; late = lateCreate; lateOwner = me;
      forget(); goto idle
    }
  :: IS_BURIED
  :: atomic { DIES }
  fi;

look:                                    /* the mailbox is read after the row, so it may hold more than the row said */
  if
  :: atomic {
      found = pending;
      if
      :: CALLS(myRevision) -> goto begin
      :: myRevision == 2 && found == 0 -> goto release
      :: else -> decide(); goto commit
      fi
    }
  :: IS_BURIED
  :: atomic { DIES }
  fi;

begin:                                   /* the row says who is about to call a function of it, and then it is called */
  if
  :: atomic {
      if
      :: owner == me && revision == myRevision ->
        calls++;
        assert(calls <= 1 + takeovers);  /* P7 */
        decide(); goto commit
      :: else -> forget(); goto idle
      fi
    }
  :: IS_BURIED
  :: atomic { DIES }
  fi;

commit:
  if
  :: atomic {
      if
      :: isAskedAgain && IS_WRITTEN(me, myRevision + 1) -> answer = taken
      :: else -> write(me, myRevision + 1, mySignals, to, takes, rests, answer)
      fi;
      assert((answer == taken) == (writer[myRevision + 1] == me));    /* P5: the answer is the truth */
      isAskedAgain = false;
      if
      :: answer == taken && !rests -> myRevision++; answer = 0; found = 0; takes = 0; to = 0; goto again
      :: answer == signalled -> answer = 0; takes = 0; to = 0; rests = false; goto again
      :: else -> forget(); goto idle     /* it rests, or is lost: then it is forgotten */
      fi
    }
  :: atomic {                            /* carried out, and the answer is lost: the same is asked again */
      losses < LOSSES && !isAskedAgain ->
      losses++;
      write(me, myRevision + 1, mySignals, to, takes, rests, answer);
      answer = 0; isAskedAgain = true;
      goto commit
    }
  :: atomic {                            /* comes to the store later, or never */
      losses < LOSSES && late == nothing ->
      losses++;
      late = lateCommit; lateOwner = me; lateRevision = myRevision + 1; lateSignals = mySignals;
      lateStatus = to; lateTakes = takes; lateRests = rests;
      isAskedAgain = true;
      goto commit
    }
  :: IS_BURIED
  :: atomic { DIES }
  fi;

again:                                   /* the next step, or something came that it has not seen: it reads, and goes on */
  if
  :: atomic {
      if
      :: owner == me && revision == myRevision -> mySignals = signals; goto seen
      :: else -> forget(); goto idle
      fi
    }
  :: atomic { leaves < LEAVES -> forget(); goto leave }
  :: IS_BURIED
  :: atomic { DIES }
  fi;

seen:
  if
  :: atomic {
      found = pending;
      if
      :: CALLS(myRevision) && calls == 0 -> goto begin
      :: CALLS(myRevision) && calls != 0 -> decide(); goto commit
      :: myRevision == 2 && found == 0 -> goto release
      :: else -> decide(); goto commit
      fi
    }
  :: IS_BURIED
  :: atomic { DIES }
  fi;

release:                                 /* there is nothing to do */
  if
  :: atomic {
      if
      :: owner == me && signals == mySignals -> owner = 0; due = false; forget(); goto idle
      :: owner == me && signals != mySignals -> goto again
      :: else -> forget(); goto idle
      fi
    }
  :: atomic {
      losses < LOSSES && late == nothing ->
      losses++; late = lateRelease; lateOwner = me; lateSignals = mySignals;
      goto release
    }
  :: IS_BURIED
  :: atomic { DIES }
  fi;

leave:                                   /* the launcher stops in good order, and another one is started */
  atomic { leaves++; bury(me); goto born }

over:
  skip
}

/* A row that another transaction has locked is passed over. Its owner is a stray from now on: registered no more. */
#define BURIAL(n) if :: bury(n) :: atomic { owner == n -> registered[n] = false } fi
#define BURIES(n) \
  :: atomic { registered[n] && dead[n] -> BURIAL(n) } \
  :: atomic { registered[n] && !dead[n] && mistakes < MISTAKES -> mistakes++; BURIAL(n) }

/* What every living launcher does for the others: one that is gone is buried, and one that lives may be, by mistake. */
active proctype Undertaker() {
end:
  do
  BURIES(1)
  BURIES(2)
#if NUMBERS > 2
  BURIES(3)
#endif
#if NUMBERS > 3
  BURIES(4)
#endif
#if NUMBERS > 4
  BURIES(5)
#endif
#if NUMBERS > 5
  BURIES(6)
#endif
#if NUMBERS > 6
  BURIES(7)
#endif
#if NUMBERS > 7
#error "The undertaker knows seven numbers."
#endif
#ifndef NO_STRAYS
  :: atomic { owner != 0 && !registered[owner] -> bury(owner) }
#endif
  od
}

/* Calls that nobody waits for any more. They come to the store at any time, or get lost. */
active proctype Network() {
  mtype unheard;
end:
  do
  :: atomic {
      late != nothing ->
      if
      :: late == lateClaim ->
        if
        :: IS_ALIVE(lateOwner) && IS_FREE -> owner = lateOwner; due = false; isStranded = true
        :: else
        fi
      :: late == lateCreate ->
        if
        :: status == absent && IS_ALIVE(lateOwner) -> status = running; owner = lateOwner; isStranded = true
        :: status == absent && !IS_ALIVE(lateOwner) -> status = running; due = true
        :: else
        fi
      :: late == lateCommit -> write(lateOwner, lateRevision, lateSignals, lateStatus, lateTakes, lateRests, unheard)
      :: late == lateRelease ->
        if
        :: owner == lateOwner && signals == lateSignals -> owner = 0; due = false
        :: else
        fi
      :: true                            /* it never comes */
      fi;
      unheard = 0; late = nothing; lateOwner = 0; lateRevision = 0; lateSignals = 0; lateTakes = 0; lateStatus = 0; lateRests = false
    }
  od
}

/* Programs that send messages, and the times at which a wait wants to be looked at without any. */
active proctype World() {
  byte sent = 0, wakes = 0;
end:
  do
  :: atomic {
      sent < MESSAGES && status != absent ->
      sent++;
      if
      :: status != completed ->
        pending++; signals++;
        if
        :: owner == 0 && status == waiting -> due = true
        :: else
        fi
      :: else                            /* refused: it has ended */
      fi
    }
  :: atomic { wakes < WAKES && status == waiting && owner == 0 && !due -> wakes++; due = true }
  od
}

init {
  byte n = 0;
  atomic {
    do
    :: n < LAUNCHERS -> n++; lastNumber = n; registered[n] = true; run Launcher(n)
    :: else -> break
    od
  }
  /* P8: all comes to rest. There is no cycle, and a wait without end is an invalid end state. */
  atomic {
    status == completed ->
    assert(owner == 0 && revision == REVISIONS);
    assert(pending == 0 && consumed == 1 && consumed + buried == signals)    /* P6 */
  }
}
